INSERT INTO till.stock AS s (tenant_id, item, filled, "left") VALUES (:tenant, 'piece', :n, :n)
ON CONFLICT (tenant_id, item) DO UPDATE SET filled = s.filled + excluded.filled, "left" = s."left" + excluded."left"
