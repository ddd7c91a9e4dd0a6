-- The latest series that is or was sold under each SKU.
SELECT DISTINCT ON (sku) id, sku, state FROM blindbox.series
WHERE tenant_id = :tenant AND sku = ANY(:skus::text[]) AND state <> 'draft'
ORDER BY sku, id DESC
