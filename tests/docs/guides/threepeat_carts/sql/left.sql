INSERT INTO carts.cart (tenant_id, member_id, left_at)
SELECT :tenant, member_id, left_at FROM unnest(:members::bigint[], :times::timestamptz[]) AS given (member_id, left_at)
ORDER BY member_id
ON CONFLICT (tenant_id, member_id, left_at) DO NOTHING
