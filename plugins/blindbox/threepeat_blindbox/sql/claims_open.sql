SELECT c.id, c.order_id, s.sku, c.amount - c.back AS missing FROM blindbox.claim c
JOIN blindbox.series s ON s.tenant_id = :tenant AND s.id = c.series_id
WHERE c.tenant_id = :tenant AND c.order_id = ANY(:orders::text[]) AND c.state <> 'done'
ORDER BY c.id
