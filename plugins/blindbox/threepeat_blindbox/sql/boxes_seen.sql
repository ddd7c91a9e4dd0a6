SELECT order_id, series_id FROM blindbox.box WHERE tenant_id = :tenant AND order_id = ANY(:orders::text[])
UNION
SELECT order_id, series_id FROM blindbox.claim WHERE tenant_id = :tenant AND order_id = ANY(:orders::text[])
