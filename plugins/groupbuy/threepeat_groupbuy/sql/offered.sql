-- Campaigns in which groups can be opened, the newest first.
SELECT id, name, sku, form, state FROM groupbuy.campaign
WHERE tenant_id = :tenant AND state = 'active' AND id < :before::bigint
  AND (:sku::text IS NULL OR sku = :sku::text)
ORDER BY id DESC LIMIT :most::bigint
