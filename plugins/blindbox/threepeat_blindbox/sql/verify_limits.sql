-- Members whose count of a day differs from their boxes, or is beyond the limits.
WITH given AS (
    SELECT member_id, series_id, day, boxes, money FROM blindbox.hold
    WHERE tenant_id = :tenant AND state IN ('held', 'paid')
    UNION ALL
    SELECT member_id, series_id, day, 1, money FROM blindbox.box WHERE tenant_id = :tenant AND state <> 'void'
), summed AS (
    SELECT member_id, series_id, day, sum(boxes) AS boxes, sum(money) AS money FROM given
    WHERE member_id > 0 GROUP BY member_id, series_id, day
)
SELECT coalesce(p.series_id, g.series_id) AS series_id, coalesce(p.day, g.day) AS day
FROM (SELECT * FROM blindbox.spending WHERE tenant_id = :tenant) AS p
FULL JOIN summed g ON g.member_id = p.member_id AND g.series_id = p.series_id AND g.day = p.day
WHERE coalesce(p.boxes, 0) <> coalesce(g.boxes, 0) OR coalesce(p.money, 0) <> coalesce(g.money, 0)
   OR (p.boxes IS NULL AND g.boxes > 0)
UNION ALL
SELECT p.series_id, p.day FROM blindbox.spending p
JOIN blindbox.series s ON s.tenant_id = :tenant AND s.id = p.series_id
WHERE p.tenant_id = :tenant AND NOT p.merged AND (p.boxes > s.daily_boxes OR p.money > s.daily_money)
