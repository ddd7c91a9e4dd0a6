SELECT held FROM stamps.card WHERE tenant_id = :tenant AND member_id = :member
