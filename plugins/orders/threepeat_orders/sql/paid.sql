-- A batch of paid orders. The order's key decides: what is there already stays as it is.
WITH given AS (
    SELECT * FROM unnest(:orders::text[], :members::bigint[], :totals::bigint[], :times::timestamptz[],
                         :positions::bigint[])
        AS g (order_id, member_id, total, paid_at, position)
), early AS (
    SELECT order_id, sum(amount)::bigint AS amount FROM orders.refund
    WHERE tenant_id = :tenant AND order_id = ANY(:orders::text[]) GROUP BY order_id
), fresh AS (
    INSERT INTO orders.header (tenant_id, order_id, member_id, total, refunded, paid_at, position)
    SELECT :tenant, g.order_id, g.member_id, g.total, coalesce(e.amount, 0), g.paid_at, g.position
    FROM given g LEFT JOIN early e USING (order_id)
    ON CONFLICT DO NOTHING
    RETURNING member_id, total, paid_at
)
INSERT INTO orders.buyer AS b (tenant_id, member_id, orders, paid, refunded, first_order_at, last_order_at)
SELECT :tenant, member_id, count(*), sum(total), 0, min(paid_at), max(paid_at)
FROM fresh GROUP BY member_id ORDER BY member_id
ON CONFLICT (tenant_id, member_id) DO UPDATE SET
    orders = b.orders + excluded.orders,
    paid = b.paid + excluded.paid,
    first_order_at = least(b.first_order_at, excluded.first_order_at),
    last_order_at = greatest(b.last_order_at, excluded.last_order_at)
