WITH mine AS (
    SELECT id, state FROM blindbox.box WHERE tenant_id = :tenant AND id = ANY(:ids::bigint[])
    ORDER BY id FOR NO KEY UPDATE
)
UPDATE blindbox.box b
SET state = CASE WHEN m.state = 'waiting' THEN 'void' ELSE m.state END, returned = m.state = 'opened'
FROM mine m WHERE b.tenant_id = :tenant AND b.id = m.id AND m.state <> 'void'
RETURNING b.state, b.member_id, b.series_id, b.day, 1 AS boxes, b.money
