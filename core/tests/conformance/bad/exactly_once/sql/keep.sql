INSERT INTO forgetful.tally (tenant_id, member_id, orders) VALUES (:tenant, :member, :orders)
ON CONFLICT (tenant_id, member_id) DO UPDATE SET orders = excluded.orders
