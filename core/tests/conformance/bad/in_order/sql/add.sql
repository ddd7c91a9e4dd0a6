INSERT INTO spend.total AS t (tenant_id, member_id, amount)
SELECT :tenant, member_id, amount FROM unnest(:members::bigint[], :amounts::bigint[]) AS given (member_id, amount)
ON CONFLICT (tenant_id, member_id) DO UPDATE SET amount = t.amount + excluded.amount
