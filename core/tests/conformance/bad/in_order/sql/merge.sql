WITH gone AS (
    DELETE FROM spend.total WHERE tenant_id = :tenant AND member_id = :source RETURNING amount
)
INSERT INTO spend.total AS t (tenant_id, member_id, amount)
SELECT :tenant, :target, amount FROM gone
ON CONFLICT (tenant_id, member_id) DO UPDATE SET amount = t.amount + excluded.amount
