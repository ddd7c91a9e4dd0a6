UPDATE points.hold SET state = 'released'
WHERE tenant_id = :tenant AND reservation = :reservation::text AND state = 'held'
RETURNING member_id, payment, points
