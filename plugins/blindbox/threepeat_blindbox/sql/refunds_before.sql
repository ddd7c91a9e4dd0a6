-- What the log has of refunds before the payments of some orders, kept as if it came after them.
INSERT INTO blindbox.refund (tenant_id, refund_id, member_id, order_id, amount, units)
SELECT DISTINCT ON (g.order_id, e.data ->> 'refund_id') :tenant, e.data ->> 'refund_id', g.member_id, g.order_id,
       (e.data ->> 'amount')::bigint,
       (SELECT coalesce(jsonb_object_agg(u.sku, u.units), '{}')
        FROM (SELECT l ->> 'sku' AS sku, sum((l ->> 'quantity')::bigint) AS units
              FROM jsonb_array_elements(coalesce(e.data -> 'lines', '[]')) AS l GROUP BY 1) AS u)
FROM unnest(:orders::text[], :members::bigint[], :positions::bigint[]) AS g (order_id, member_id, position)
JOIN core.event e ON e.tenant_id = :tenant AND e.member_id = g.member_id AND e.type = 'order.refunded'
  AND e.position < g.position AND e.data ->> 'order_id' = g.order_id
ORDER BY g.order_id, e.data ->> 'refund_id', e.position
ON CONFLICT (tenant_id, order_id, refund_id) DO NOTHING
