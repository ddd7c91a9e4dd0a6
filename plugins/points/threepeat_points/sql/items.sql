SELECT id, name, description, kind, reward, price, stock, per_member, per_day, first_day, last_day, audience, redeemed,
       state, revision, changed_at
FROM points.item
WHERE tenant_id = :tenant AND id < :before::bigint AND (:state::text IS NULL OR state = :state::text)
  AND strpos(lower(name), lower(:search::text)) > 0
ORDER BY id DESC LIMIT :most::bigint
