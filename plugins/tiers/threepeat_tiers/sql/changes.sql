-- The trail, in the order in which it was given. What no event brought counts from the end of the log on, and nothing
-- counts before what stands in the trail already.
WITH head AS (
    SELECT coalesce(max(position), 0) AS position FROM core.event WHERE tenant_id = :tenant
), last AS (
    SELECT c.member_id, max(c.position) AS position FROM tiers.change c
    WHERE c.tenant_id = :tenant AND c.member_id = ANY(:members::bigint[]) AND NOT c.merged GROUP BY c.member_id
)
INSERT INTO tiers.change (tenant_id, member_id, position, changed_at, from_level, to_level, version, reason)
SELECT :tenant, g.member_id, greatest(coalesce(g.position, head.position), last.position), g.changed_at,
       g.from_level, g.to_level, g.version, g.reason
FROM unnest(:members::bigint[], :positions::bigint[], :times::timestamptz[], :before::bigint[],
            :after::bigint[], :versions::bigint[], :reasons::text[])
    WITH ORDINALITY AS g (member_id, position, changed_at, from_level, to_level, version, reason, n)
CROSS JOIN head LEFT JOIN last ON last.member_id = g.member_id
ORDER BY g.n
RETURNING id
