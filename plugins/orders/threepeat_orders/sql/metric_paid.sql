SELECT (paid_at AT TIME ZONE :timezone::text)::date AS day, count(*) AS orders, sum(total)::bigint AS paid
FROM orders.header
WHERE tenant_id = :tenant AND paid_at >= :since::timestamptz AND paid_at < :until::timestamptz
GROUP BY 1
