WITH gone AS (
    DELETE FROM tiers.day_growth WHERE tenant_id = :tenant AND member_id = :source::bigint RETURNING day, value
)
INSERT INTO tiers.day_growth AS d (tenant_id, member_id, day, value)
SELECT :tenant, :target::bigint, day, value FROM gone ORDER BY day
ON CONFLICT (tenant_id, member_id, day) DO UPDATE SET value = d.value + excluded.value
