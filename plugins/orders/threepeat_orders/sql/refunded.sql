-- A batch of refunds. One that comes before its order waits in orders.refund until the order does.
WITH fresh AS (
    INSERT INTO orders.refund (tenant_id, refund_id, order_id, member_id, amount, refunded_at)
    SELECT :tenant, g.* FROM unnest(
        :refunds::text[], :orders::text[], :members::bigint[], :amounts::bigint[], :times::timestamptz[]
    ) AS g (refund_id, order_id, member_id, amount, refunded_at)
    ON CONFLICT DO NOTHING
    RETURNING order_id, member_id, amount
), headers AS (
    UPDATE orders.header h SET refunded = h.refunded + f.amount
    FROM (SELECT order_id, sum(amount)::bigint AS amount FROM fresh GROUP BY order_id) f
    WHERE h.tenant_id = :tenant AND h.order_id = f.order_id
)
INSERT INTO orders.buyer AS b (tenant_id, member_id, orders, paid, refunded)
SELECT :tenant, member_id, 0, 0, sum(amount) FROM fresh GROUP BY member_id ORDER BY member_id
ON CONFLICT (tenant_id, member_id) DO UPDATE SET refunded = b.refunded + excluded.refunded
