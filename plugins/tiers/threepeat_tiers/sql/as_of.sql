-- The last change before each moment. What a person brought along by a merge does not count.
SELECT g.n, c.to_level, c.version
FROM unnest(:members::bigint[], :positions::bigint[]) WITH ORDINALITY AS g (member_id, position, n)
CROSS JOIN LATERAL (
    SELECT to_level, version FROM tiers.change c
    WHERE c.tenant_id = :tenant AND c.member_id = g.member_id AND c.position < g.position AND NOT c.merged
    ORDER BY c.position DESC, c.id DESC LIMIT 1
) c
