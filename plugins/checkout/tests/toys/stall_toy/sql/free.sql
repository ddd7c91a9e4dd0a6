WITH freed AS (
    UPDATE stall.hold SET state = 'free'
    WHERE tenant_id = :tenant AND (reservation, rule, key) = (:reservation, :rule, :key) AND state = 'held'
    RETURNING item, take
)
UPDATE stall.stock s SET remaining = remaining + f.take FROM freed f WHERE s.tenant_id = :tenant AND s.item = f.item
