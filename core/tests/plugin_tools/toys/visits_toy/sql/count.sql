INSERT INTO visits.visit AS v (tenant_id, member_id, orders)
SELECT :tenant, member_id, count(*) FROM unnest(:members::bigint[]) AS g (member_id) GROUP BY 2 ORDER BY 2
ON CONFLICT (tenant_id, member_id) DO UPDATE SET orders = v.orders + excluded.orders
