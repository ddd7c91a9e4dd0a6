-- `targets` names the endpoint of a test event, which goes nowhere else. An event that was handed over before is
-- there already, whatever came of it.
INSERT INTO webhooks.delivery (tenant_id, endpoint_id, position, member_id, type, due_at, created_at, changed_at)
SELECT :tenant, n.id, given.position, given.member_id, given.type, core.now(), core.now(), core.now()
FROM unnest(:positions::bigint[], :members::bigint[], :types::text[], :targets::bigint[])
     AS given (position, member_id, type, target)
JOIN webhooks.endpoint n ON n.tenant_id = :tenant AND n.state = 'active'
 AND CASE WHEN given.target IS NULL THEN n.every OR given.type = ANY (n.types) ELSE n.id = given.target END
ORDER BY given.position, n.id
ON CONFLICT (tenant_id, endpoint_id, position) DO NOTHING
RETURNING id, member_id
