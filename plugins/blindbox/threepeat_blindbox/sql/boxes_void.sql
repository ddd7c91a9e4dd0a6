WITH mine AS (
    SELECT id FROM blindbox.box WHERE tenant_id = :tenant AND id = ANY(:ids::bigint[]) AND state = 'waiting'
    ORDER BY id FOR NO KEY UPDATE
)
UPDATE blindbox.box b SET state = 'void' FROM mine m
WHERE b.tenant_id = :tenant AND b.id = m.id AND b.state = 'waiting'
RETURNING b.order_id, b.source, b.member_id, b.series_id, b.day, 1 AS boxes, b.money
