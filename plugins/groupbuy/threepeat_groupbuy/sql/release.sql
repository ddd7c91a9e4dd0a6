UPDATE groupbuy.seat SET state = 'released'
WHERE tenant_id = :tenant AND reservation = :reservation::text AND state = 'held'
RETURNING team_id
