UPDATE tenth.purchase SET member_id = :target WHERE tenant_id = :tenant AND member_id = :source
