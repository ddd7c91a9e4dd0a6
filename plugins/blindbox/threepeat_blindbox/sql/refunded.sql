-- What came back of orders up to a place in the log: money, and units by SKU.
WITH given AS (
    SELECT * FROM unnest(:orders::text[], :members::bigint[], :positions::bigint[])
        AS g (order_id, member_id, position)
), back AS (
    SELECT g.order_id, e.position, (e.data ->> 'amount')::bigint AS amount, e.data -> 'lines' AS lines FROM given g
    JOIN core.event e ON e.tenant_id = :tenant AND e.member_id = g.member_id AND e.type = 'order.refunded'
      AND e.position <= g.position AND e.data ->> 'order_id' = g.order_id
), units AS (
    SELECT b.order_id, l ->> 'sku' AS sku, sum((l ->> 'quantity')::bigint) AS units
    FROM back b CROSS JOIN LATERAL jsonb_array_elements(coalesce(b.lines, '[]')) AS l
    GROUP BY b.order_id, l ->> 'sku'
)
SELECT g.order_id,
       coalesce((SELECT sum(b.amount) FROM back b WHERE b.order_id = g.order_id), 0)::bigint AS amount,
       coalesce((SELECT jsonb_object_agg(u.sku, u.units) FROM units u WHERE u.order_id = g.order_id), '{}') AS units
FROM given g
