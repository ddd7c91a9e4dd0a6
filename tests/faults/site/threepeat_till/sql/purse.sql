SELECT "left" FROM till.purse WHERE tenant_id = :tenant AND member_id = :member
