-- What the endpoint was not told of yet is new; what arrived is sent once more unless only what it missed is.
-- Those that are there are locked in the order of their ids first, as by whoever stops them.
WITH held AS MATERIALIZED (
    SELECT id FROM webhooks.delivery
    WHERE tenant_id = :tenant AND endpoint_id = :endpoint::bigint AND position = ANY (:positions::bigint[])
    ORDER BY id FOR UPDATE
)
INSERT INTO webhooks.delivery AS d
    (tenant_id, endpoint_id, position, member_id, type, due_at, created_at, changed_at)
SELECT :tenant, :endpoint::bigint, given.position, given.member_id, given.type, core.now(), core.now(), core.now()
FROM unnest(:positions::bigint[], :members::bigint[], :types::text[]) AS given (position, member_id, type)
WHERE (SELECT count(*) FROM held) >= 0
ORDER BY given.position
ON CONFLICT (tenant_id, endpoint_id, position) DO UPDATE
SET state = 'queued', tries = 0, due_at = core.now(), revision = d.revision + 1, changed_at = core.now()
WHERE d.state IN ('failed', 'stopped') OR (d.state = 'delivered' AND NOT :missed::boolean)
RETURNING id, member_id
