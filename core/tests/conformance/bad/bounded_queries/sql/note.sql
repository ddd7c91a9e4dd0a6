INSERT INTO visits.visit (tenant_id, visit, member_id, made_at) VALUES (:tenant, :visit, :member, :at)
ON CONFLICT (tenant_id, visit) DO NOTHING
