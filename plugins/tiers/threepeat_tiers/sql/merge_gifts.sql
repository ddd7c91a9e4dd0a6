WITH gone AS (
    DELETE FROM tiers.gift WHERE tenant_id = :tenant AND member_id = :source::bigint RETURNING *
)
INSERT INTO tiers.gift (tenant_id, member_id, occasion, level, period, number, kind, amount, item, paid, state,
                        reward_key, decided_at)
SELECT :tenant, :target::bigint, occasion, level, period, number, kind, amount, item, paid, state, reward_key,
       decided_at
FROM gone ORDER BY occasion, level, period, number
ON CONFLICT DO NOTHING
