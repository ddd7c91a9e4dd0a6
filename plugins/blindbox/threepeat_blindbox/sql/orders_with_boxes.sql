-- Orders with boxes: which are not gone yet, the unopened last ones first, how many are, and what the order came to.
SELECT b.order_id, b.series_id, s.sku, max(b.total) AS total,
       coalesce(array_agg(b.id ORDER BY b.state = 'opened', b.ordinal DESC)
                FILTER (WHERE b.state <> 'void' AND NOT b.returned), '{}') AS still,
       count(*) FILTER (WHERE b.state = 'void' OR b.returned) AS gone
FROM blindbox.box b JOIN blindbox.series s ON s.tenant_id = :tenant AND s.id = b.series_id
WHERE b.tenant_id = :tenant AND b.order_id = ANY(:orders::text[]) AND b.source = 'order'
GROUP BY b.order_id, b.series_id, s.sku
ORDER BY b.order_id, b.series_id
