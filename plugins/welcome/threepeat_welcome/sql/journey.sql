-- How far those came who registered in the period; each step counts only who made the one before.
SELECT count(*) AS registered, count(welcomed_at) AS welcomed,
       count(*) FILTER (WHERE welcomed_at IS NOT NULL AND first_order_id IS NOT NULL) AS first_orders,
       count(*) FILTER (WHERE welcomed_at IS NOT NULL AND second_order_id IS NOT NULL) AS second_orders
FROM welcome.newcomer
WHERE tenant_id = :tenant AND registered_at >= :since::timestamptz AND registered_at < :until::timestamptz
