UPDATE points.hold SET state = 'confirmed'
WHERE tenant_id = :tenant AND reservation = :reservation::text AND state IN ('held', 'confirmed')
RETURNING reservation
