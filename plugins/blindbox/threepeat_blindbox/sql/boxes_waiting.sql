SELECT id FROM blindbox.box WHERE tenant_id = :tenant AND member_id = :member::bigint AND state = 'waiting'
