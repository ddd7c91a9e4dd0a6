SELECT (refunded_at AT TIME ZONE :timezone::text)::date AS day, sum(amount)::bigint AS refunded
FROM orders.refund
WHERE tenant_id = :tenant AND refunded_at >= :since::timestamptz AND refunded_at < :until::timestamptz
GROUP BY 1
