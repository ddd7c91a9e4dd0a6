SELECT member_id, coalesce(second_order_id IS NULL AND second_until > core.now(), false) AS second_due
FROM welcome.newcomer
WHERE tenant_id = :tenant AND member_id = ANY(:members::bigint[]) AND welcomed_at IS NOT NULL
