INSERT INTO till.purse AS p (tenant_id, member_id, orders, received)
SELECT :tenant, member_id, n, total
FROM unnest(:members::bigint[], :counts::bigint[], :sums::bigint[]) AS g (member_id, n, total) ORDER BY member_id
ON CONFLICT (tenant_id, member_id) DO UPDATE
SET orders = p.orders + excluded.orders, received = p.received + excluded.received
