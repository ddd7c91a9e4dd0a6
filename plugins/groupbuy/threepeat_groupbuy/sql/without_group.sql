UPDATE groupbuy.seat SET team_id = NULL
WHERE tenant_id = :tenant AND reservation = :reservation::text AND state = 'held'
