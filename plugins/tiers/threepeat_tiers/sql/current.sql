-- Where members stand now; floors count up to their last instant, whether a worker has seen them or not.
SELECT * FROM (
    SELECT g.member_id, s.version, greatest(coalesce(s.earned, 0), coalesce(f.level, 0)) AS level
    FROM unnest(:members::bigint[]) AS g (member_id)
    LEFT JOIN tiers.standing s ON s.tenant_id = :tenant AND s.member_id = g.member_id
    LEFT JOIN LATERAL (
        SELECT max(f.level) AS level FROM tiers.floor f
        WHERE f.tenant_id = :tenant AND f.member_id = g.member_id AND f.state = 'open' AND f.until > core.now()
    ) f ON true
) m WHERE level > 0
