INSERT INTO cakes.purchase (tenant_id, order_id, member_id)
SELECT :tenant, order_id, member_id FROM unnest(:orders::text[], :members::bigint[]) AS given (order_id, member_id)
ON CONFLICT (tenant_id, order_id) DO NOTHING
