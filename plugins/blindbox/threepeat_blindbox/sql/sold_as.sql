-- The series that is sold under each SKU, or else the one that was sold last.
SELECT DISTINCT ON (sku) id, sku FROM blindbox.series
WHERE tenant_id = :tenant AND sku = ANY(:skus::text[]) AND state <> 'draft'
ORDER BY sku, state = 'on_sale' DESC, opened_at DESC, id DESC
