SELECT member_id, payment, points, returned, state FROM points.hold
WHERE tenant_id = :tenant AND reservation = :reservation::text
