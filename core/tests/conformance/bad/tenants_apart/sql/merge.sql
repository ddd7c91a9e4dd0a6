WITH gone AS (
    DELETE FROM stamps.card WHERE tenant_id = :tenant AND member_id = :source RETURNING held
)
INSERT INTO stamps.card AS c (tenant_id, member_id, held)
SELECT :tenant, :target, held FROM gone
ON CONFLICT (tenant_id, member_id) DO UPDATE SET held = c.held + excluded.held
