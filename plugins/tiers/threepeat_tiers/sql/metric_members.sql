SELECT level, count(*) AS members, count(*) FILTER (WHERE level > earned) AS floors
FROM tiers.standing WHERE tenant_id = :tenant AND member_id > 0 GROUP BY level ORDER BY level DESC
