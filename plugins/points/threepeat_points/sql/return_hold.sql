-- What has come back of an order only grows.
UPDATE points.hold SET returned = least(:returned::bigint, points)
WHERE tenant_id = :tenant AND reservation = :reservation::text AND state = 'confirmed'
  AND returned < least(:returned::bigint, points)
RETURNING member_id, payment, returned
