WITH given AS (
    SELECT * FROM unnest(:references::text[], :members::bigint[], :amounts::bigint[]) AS g (reference, member_id, amount)
), fresh AS (
    INSERT INTO sampler.line (tenant_id, reference, member_id, amount)
    SELECT :tenant, reference, member_id, amount FROM given ORDER BY reference
    ON CONFLICT DO NOTHING RETURNING member_id, amount
)
INSERT INTO sampler.purse AS p (tenant_id, member_id, held)
SELECT :tenant, member_id, sum(amount) FROM fresh GROUP BY member_id ORDER BY member_id
ON CONFLICT (tenant_id, member_id) DO UPDATE SET held = p.held + excluded.held RETURNING member_id, held
