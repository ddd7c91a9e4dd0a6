INSERT INTO till.rung (tenant_id, member_id, bell) VALUES (:tenant, :member, :bell)
