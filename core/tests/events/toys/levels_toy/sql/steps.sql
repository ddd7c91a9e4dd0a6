SELECT member_id, count(*) AS steps FROM levels.step
WHERE tenant_id = :tenant AND member_id = ANY(:members::bigint[]) GROUP BY member_id
