WITH moved AS (
    DELETE FROM carts.cart WHERE tenant_id = :tenant AND member_id = :source RETURNING left_at
)
INSERT INTO carts.cart (tenant_id, member_id, left_at)
SELECT :tenant, :target, left_at FROM moved
ON CONFLICT (tenant_id, member_id, left_at) DO NOTHING
