INSERT INTO till.payment (tenant_id, member_id, amount, reference) VALUES (:tenant, :member, :amount, :reference)
