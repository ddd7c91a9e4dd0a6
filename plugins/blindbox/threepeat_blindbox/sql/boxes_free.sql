-- Places and limits of boxes that are void; the limits of members before the places of series.
WITH mine AS (
    SELECT member_id, series_id, day, count(*) AS boxes, sum(money) AS money FROM blindbox.box
    WHERE tenant_id = :tenant AND id = ANY(:ids::bigint[]) GROUP BY member_id, series_id, day
), locked AS (
    SELECT p.member_id, p.series_id, p.day, m.boxes, m.money FROM blindbox.spending p
    JOIN mine m ON m.member_id = p.member_id AND m.series_id = p.series_id AND m.day = p.day
    WHERE p.tenant_id = :tenant ORDER BY p.member_id, p.series_id, p.day FOR NO KEY UPDATE OF p
), limits AS (
    UPDATE blindbox.spending p SET boxes = p.boxes - l.boxes, money = p.money - l.money FROM locked l
    WHERE p.tenant_id = :tenant AND p.member_id = l.member_id AND p.series_id = l.series_id AND p.day = l.day
    RETURNING p.series_id
), waited AS (
    SELECT count(*) AS rows FROM limits
), series AS (
    SELECT s.id FROM blindbox.series s CROSS JOIN waited w
    WHERE s.tenant_id = :tenant AND s.id IN (SELECT series_id FROM mine) ORDER BY s.id FOR NO KEY UPDATE OF s
)
UPDATE blindbox.series s SET held = s.held - (SELECT sum(m.boxes) FROM mine m WHERE m.series_id = s.id)::bigint
FROM series l WHERE s.tenant_id = :tenant AND s.id = l.id
RETURNING s.id
