INSERT INTO levels.step (tenant_id, member_id, position)
SELECT :tenant, g.* FROM unnest(:members::bigint[], :positions::bigint[]) AS g
ON CONFLICT DO NOTHING
