INSERT INTO stamps.card (tenant_id, member_id, held)
SELECT :tenant, member_id, 0 FROM unnest(:members::bigint[]) AS member_id
ON CONFLICT (tenant_id, member_id) DO NOTHING
