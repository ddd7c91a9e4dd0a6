UPDATE stall.hold SET state = 'used', order_id = :order
WHERE tenant_id = :tenant AND (reservation, rule, key) = (:reservation, :rule, :key) AND state IN ('held', 'used')
RETURNING item
