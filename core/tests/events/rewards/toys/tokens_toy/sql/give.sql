WITH given AS (
    SELECT * FROM unnest(:keys::text[], :members::bigint[], :amounts::bigint[]) AS g (key, member_id, amount)
), lines AS (
    INSERT INTO tokens.line (tenant_id, reference, member_id, amount) SELECT :tenant, key, member_id, amount FROM given
)
INSERT INTO tokens.purse AS p (tenant_id, member_id, held)
SELECT :tenant, member_id, sum(amount) FROM given GROUP BY member_id ORDER BY member_id
ON CONFLICT (tenant_id, member_id) DO UPDATE SET held = p.held + excluded.held
