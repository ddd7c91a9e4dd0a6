-- The order will not be paid. Limits of a member before places of a series, as everywhere.
WITH mine AS (
    UPDATE blindbox.hold h SET state = 'released'
    WHERE h.tenant_id = :tenant AND h.reservation = :reservation::text AND h.series_id = :series::bigint
      AND h.state = 'held'
    RETURNING h.series_id, h.member_id, h.day, h.boxes, h.money
), limits AS (
    UPDATE blindbox.spending p SET boxes = p.boxes - m.boxes, money = p.money - m.money FROM mine m
    WHERE p.tenant_id = :tenant AND p.member_id = m.member_id AND p.series_id = m.series_id AND p.day = m.day
    RETURNING p.series_id
), waited AS (
    SELECT count(*) AS rows FROM limits
)
UPDATE blindbox.series s SET held = s.held - m.boxes FROM mine m CROSS JOIN waited w
WHERE s.tenant_id = :tenant AND s.id = m.series_id
RETURNING s.id AS series_id, s.state = 'ending' AS ending
