-- Orders whose refunded sum differs from their refunds.
SELECT h.order_id FROM orders.header h
LEFT JOIN (
    SELECT order_id, sum(amount) AS amount FROM orders.refund WHERE tenant_id = :tenant GROUP BY order_id
) r USING (order_id)
WHERE h.tenant_id = :tenant AND h.refunded <> coalesce(r.amount, 0)
