-- Buyers of the period and of the one before it, and those whose last order there was not their first ever.
SELECT current, count(*) AS buyers, count(*) FILTER (WHERE b.first_order_at < latest) AS returning
FROM (
    SELECT paid_at >= :since::timestamptz AS current, member_id, max(paid_at) AS latest
    FROM orders.header
    WHERE tenant_id = :tenant AND paid_at >= :before::timestamptz AND paid_at < :until::timestamptz
    GROUP BY 1, 2
) h JOIN orders.buyer b ON b.tenant_id = :tenant AND b.member_id = h.member_id
GROUP BY current
