SELECT month, day FROM birthday.date WHERE tenant_id = :tenant AND member_id = :member
