UPDATE happyhour.hold SET member_id = :target WHERE tenant_id = :tenant AND member_id = :source
