-- Buyers whose summary differs from their orders and refunds.
SELECT coalesce(b.member_id, h.member_id, r.member_id) AS member_id, b.orders, h.orders AS counted
FROM (SELECT * FROM orders.buyer WHERE tenant_id = :tenant) b
FULL JOIN (
    SELECT member_id, count(*) AS orders, sum(total) AS paid FROM orders.header
    WHERE tenant_id = :tenant GROUP BY member_id
) h USING (member_id)
FULL JOIN (
    SELECT member_id, sum(amount) AS refunded FROM orders.refund WHERE tenant_id = :tenant GROUP BY member_id
) r USING (member_id)
WHERE (coalesce(b.orders, 0), coalesce(b.paid, 0), coalesce(b.refunded, 0))
   IS DISTINCT FROM (coalesce(h.orders, 0), coalesce(h.paid, 0), coalesce(r.refunded, 0))
