-- A batch of paid orders. The order's key decides: what is there already stays as it is.
WITH given AS (
    SELECT * FROM unnest(:orders::text[], :members::bigint[], :totals::bigint[], :times::timestamptz[])
        AS g (order_id, member_id, total, paid_at)
), fresh AS (
    INSERT INTO orders.header (tenant_id, order_id, member_id, total, refunded, paid_at)
    SELECT :tenant, g.order_id, g.member_id, g.total, coalesce(r.amount, 0), g.paid_at
    FROM given g LEFT JOIN (
        SELECT order_id, sum(amount)::bigint AS amount FROM orders.refund
        WHERE tenant_id = :tenant AND order_id = ANY(:orders::text[]) GROUP BY order_id
    ) r USING (order_id)
    ON CONFLICT DO NOTHING
    RETURNING order_id, member_id, total, paid_at
), lines AS (
    INSERT INTO orders.line (tenant_id, order_id, number, member_id, sku, name, category, quantity, amount)
    SELECT :tenant, f.order_id, l.number, f.member_id, l.sku, l.name, l.category, l.quantity, l.amount
    FROM unnest(:line_orders::text[], :numbers::bigint[], :skus::text[], :names::text[], :categories::text[],
                :quantities::bigint[], :amounts::bigint[])
        AS l (order_id, number, sku, name, category, quantity, amount)
    JOIN fresh f USING (order_id)
)
INSERT INTO orders.buyer AS b (tenant_id, member_id, orders, paid, refunded, first_order_at, last_order_at)
SELECT :tenant, member_id, count(*), sum(total), 0, min(paid_at), max(paid_at)
FROM fresh GROUP BY member_id ORDER BY member_id
ON CONFLICT (tenant_id, member_id) DO UPDATE SET
    orders = b.orders + excluded.orders,
    paid = b.paid + excluded.paid,
    first_order_at = least(b.first_order_at, excluded.first_order_at),
    last_order_at = greatest(b.last_order_at, excluded.last_order_at)
