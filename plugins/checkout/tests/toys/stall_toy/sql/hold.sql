INSERT INTO stall.hold (tenant_id, reservation, rule, key, item, take, whole)
VALUES (:tenant, :reservation, :rule, :key, :item, :take::bigint, :whole::bigint)
ON CONFLICT DO NOTHING RETURNING item
