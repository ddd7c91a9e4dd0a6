WITH asked AS (
    SELECT id FROM groupbuy.refund WHERE tenant_id = :tenant AND id = ANY(:ids::bigint[]) AND state = 'asked'
    ORDER BY id FOR UPDATE
)
UPDATE groupbuy.refund r
SET state = CASE WHEN r.times >= :most::bigint OR r.member_id < 0 THEN 'failed' ELSE 'asked' END,
    problem = CASE WHEN r.times >= :most::bigint THEN :problem::text ELSE r.problem END,
    times = CASE WHEN r.times >= :most::bigint OR r.member_id < 0 THEN r.times ELSE r.times + 1 END,
    revision = r.revision + 1, changed_at = core.now()
FROM asked a WHERE r.tenant_id = :tenant AND r.id = a.id
RETURNING r.id, r.reservation, r.member_id, r.order_id, r.reason, r.amount, r.state, r.times
