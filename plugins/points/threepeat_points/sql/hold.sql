-- Whether a reservation is new; the payment is named by it.
INSERT INTO points.hold (tenant_id, reservation, member_id, payment, points, state)
VALUES (:tenant, :reservation::text, :member::bigint, 'hold:' || :reservation::text, :points::bigint, 'held')
ON CONFLICT (tenant_id, reservation) DO NOTHING
RETURNING payment
