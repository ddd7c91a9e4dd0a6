INSERT INTO matinee.hold (tenant_id, reservation) VALUES (:tenant, :reservation::text)
ON CONFLICT (tenant_id, reservation) DO NOTHING
RETURNING reservation
