WITH old AS (
    SELECT item, returned FROM stall.hold
    WHERE tenant_id = :tenant AND (reservation, rule, key) = (:reservation, :rule, :key) AND state = 'used'
      AND returned < :amount::bigint
    FOR UPDATE
), new AS (
    UPDATE stall.hold SET returned = :amount::bigint
    WHERE tenant_id = :tenant AND (reservation, rule, key) = (:reservation, :rule, :key) AND EXISTS (SELECT FROM old)
)
UPDATE stall.stock s SET remaining = remaining + :amount::bigint - o.returned
FROM old o WHERE s.tenant_id = :tenant AND s.item = o.item
