-- Members who take part and ordered; each step counts members of the step before.
WITH buyers AS (
    SELECT member_id, bool_or(granted > 0) AS earned FROM points.lot
    WHERE tenant_id = :tenant AND order_id IS NOT NULL
      AND earned_at >= :since::timestamptz AND earned_at < :until::timestamptz
    GROUP BY member_id
), spenders AS (
    SELECT DISTINCT member_id FROM points.entry
    WHERE tenant_id = :tenant AND kind = 'spent'
      AND occurred_at >= :since::timestamptz AND occurred_at < :until::timestamptz
)
SELECT count(*) AS ordered, count(*) FILTER (WHERE b.earned) AS earned,
       count(s.member_id) FILTER (WHERE b.earned) AS spent
FROM buyers b LEFT JOIN spenders s USING (member_id)
