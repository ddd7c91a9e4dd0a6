-- What of orders was drawn or paid back before, by SKU: a series that is sold under it now is not what they bought.
WITH seen AS (
    SELECT order_id, series_id FROM blindbox.box WHERE tenant_id = :tenant AND order_id = ANY(:orders::text[])
    UNION
    SELECT order_id, series_id FROM blindbox.claim WHERE tenant_id = :tenant AND order_id = ANY(:orders::text[])
)
SELECT b.order_id, s.sku FROM seen b JOIN blindbox.series s ON s.tenant_id = :tenant AND s.id = b.series_id
