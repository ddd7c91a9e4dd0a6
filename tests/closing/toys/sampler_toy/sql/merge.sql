WITH gone AS (
    DELETE FROM sampler.purse WHERE tenant_id = :tenant AND member_id = :source RETURNING held
), lines AS (
    UPDATE sampler.line SET member_id = :target WHERE tenant_id = :tenant AND member_id = :source
)
INSERT INTO sampler.purse AS p (tenant_id, member_id, held) SELECT :tenant, :target::bigint, held FROM gone
ON CONFLICT (tenant_id, member_id) DO UPDATE SET held = p.held + excluded.held
