INSERT INTO tally.buyer AS b (tenant_id, member_id, orders)
SELECT :tenant, member_id, count(*) FROM unnest(:members::bigint[]) AS member_id GROUP BY member_id
ON CONFLICT (tenant_id, member_id) DO UPDATE SET orders = b.orders + excluded.orders
