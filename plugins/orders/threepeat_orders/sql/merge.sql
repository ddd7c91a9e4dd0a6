-- Everything of the source's becomes the target's; the summaries add up.
WITH headers AS (
    UPDATE orders.header SET member_id = :target WHERE tenant_id = :tenant AND member_id = :source
), refunds AS (
    UPDATE orders.refund SET member_id = :target WHERE tenant_id = :tenant AND member_id = :source
), gone AS (
    DELETE FROM orders.buyer WHERE tenant_id = :tenant AND member_id = :source RETURNING *
)
INSERT INTO orders.buyer AS b (tenant_id, member_id, orders, paid, refunded, first_order_at, last_order_at)
SELECT :tenant, :target, orders, paid, refunded, first_order_at, last_order_at FROM gone
ON CONFLICT (tenant_id, member_id) DO UPDATE SET
    orders = b.orders + excluded.orders,
    paid = b.paid + excluded.paid,
    refunded = b.refunded + excluded.refunded,
    first_order_at = least(b.first_order_at, excluded.first_order_at),
    last_order_at = greatest(b.last_order_at, excluded.last_order_at)
