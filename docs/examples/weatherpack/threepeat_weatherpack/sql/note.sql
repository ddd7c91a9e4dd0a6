INSERT INTO weatherpack.weekend (tenant_id, member_id, saturday)
SELECT DISTINCT :tenant, member_id, saturday
FROM unnest(CAST(:members AS bigint[]), CAST(:saturdays AS date[])) AS given (member_id, saturday)
ORDER BY member_id, saturday
ON CONFLICT (tenant_id, member_id, saturday) DO NOTHING
