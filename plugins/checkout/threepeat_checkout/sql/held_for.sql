SELECT id FROM checkout.quote WHERE tenant_id = :tenant AND member_id = :member::bigint AND state = 'reserved'
