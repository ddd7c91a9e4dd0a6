-- Places and limits that are let go of; the limits of members before the places of series, each in order.
WITH given AS (
    SELECT member_id, series_id, day, sum(boxes)::bigint AS boxes, sum(money)::bigint AS money
    FROM unnest(:members::bigint[], :series::bigint[], :days::date[], :boxes::bigint[], :money::bigint[])
         AS g (member_id, series_id, day, boxes, money)
    GROUP BY member_id, series_id, day
), locked AS (
    SELECT p.member_id, p.series_id, p.day, g.boxes, g.money FROM blindbox.spending p
    JOIN given g ON g.member_id = p.member_id AND g.series_id = p.series_id AND g.day = p.day
    WHERE p.tenant_id = :tenant ORDER BY p.member_id, p.series_id, p.day FOR NO KEY UPDATE OF p
), limits AS (
    UPDATE blindbox.spending p SET boxes = p.boxes - l.boxes, money = p.money - l.money FROM locked l
    WHERE p.tenant_id = :tenant AND p.member_id = l.member_id AND p.series_id = l.series_id AND p.day = l.day
    RETURNING p.series_id
), waited AS (
    SELECT count(*) AS rows FROM limits
), series AS (
    SELECT s.id FROM blindbox.series s CROSS JOIN waited w
    WHERE s.tenant_id = :tenant AND s.id IN (SELECT series_id FROM given) ORDER BY s.id FOR NO KEY UPDATE OF s
)
UPDATE blindbox.series s SET held = s.held - (SELECT sum(g.boxes) FROM given g WHERE g.series_id = s.id)::bigint
FROM series l WHERE s.tenant_id = :tenant AND s.id = l.id
RETURNING s.id, s.state = 'ending' AS ending
