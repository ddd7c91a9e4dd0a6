-- The shop could not pay back what it was asked for.
UPDATE groupbuy.refund r
SET state = 'failed', problem = g.problem, revision = r.revision + 1, changed_at = core.now()
FROM (SELECT DISTINCT ON (order_id, member_id) order_id, member_id, problem
      FROM unnest(:orders::text[], :members::bigint[], :problems::text[]) WITH ORDINALITY
           AS u (order_id, member_id, problem, n)
      ORDER BY order_id, member_id, n DESC) AS g
WHERE r.tenant_id = :tenant AND r.order_id = g.order_id AND r.member_id = g.member_id AND r.state = 'asked'
  AND r.times > 0
RETURNING r.id
