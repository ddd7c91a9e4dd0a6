UPDATE till.purse SET "left" = "left" - :amount WHERE tenant_id = :tenant AND member_id = :member
