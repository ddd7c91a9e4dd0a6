UPDATE groupbuy.refund
SET state = :into::text, times = times + CASE WHEN :into::text = 'asked' THEN 1 ELSE 0 END, problem = '',
    revision = revision + 1, changed_at = core.now()
WHERE tenant_id = :tenant AND id = :id::bigint AND revision = :revision::bigint AND state IN ('asked', 'failed')
RETURNING id, reservation, member_id, order_id, reason, amount, state, times
