-- Everything up to here was written while the tactic was off.
INSERT INTO winback.progress AS p (tenant_id, position)
SELECT :tenant, max(position) FROM core.event WHERE tenant_id = :tenant HAVING max(position) > 0
ON CONFLICT (tenant_id) DO UPDATE SET position = excluded.position
RETURNING position
