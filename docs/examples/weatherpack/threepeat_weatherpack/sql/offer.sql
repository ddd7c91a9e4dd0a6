INSERT INTO weatherpack.offer (tenant_id, warning, member_id, offered_at, until, state)
SELECT :tenant, :warning, member_id, :now, :until, 'open'
FROM unnest(CAST(:members AS bigint[])) AS given (member_id)
ON CONFLICT (tenant_id, warning, member_id) DO NOTHING
RETURNING member_id
