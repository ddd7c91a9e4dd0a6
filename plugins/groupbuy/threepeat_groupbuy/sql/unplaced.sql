UPDATE groupbuy.seat SET state = 'failed', team_id = NULL, order_id = :order::text, leads = false
WHERE tenant_id = :tenant AND reservation = :reservation::text AND state = 'held'
