-- The order will not be paid.
UPDATE blindbox.hold SET state = 'released'
WHERE tenant_id = :tenant AND reservation = :reservation::text AND series_id = :series::bigint AND state = 'held'
RETURNING member_id, series_id, day, boxes, money
