-- The days of members whose growth in a span of days can be enough at all. No window is larger than the span, and
-- what a day loses is left out, so nobody is missed.
WITH asked AS (
    SELECT * FROM unnest(:members::bigint[], :firsts::date[], :lasts::date[], :needs::bigint[])
        AS g (member_id, first, last, need)
), enough AS (
    SELECT a.member_id, a.first, a.last FROM asked a
    JOIN tiers.day_growth d ON d.tenant_id = :tenant AND d.member_id = a.member_id AND d.day BETWEEN a.first AND a.last
    GROUP BY a.member_id, a.first, a.last, a.need HAVING sum(greatest(d.value, 0)) >= a.need
)
SELECT d.member_id, d.day, d.value FROM enough e
JOIN tiers.day_growth d ON d.tenant_id = :tenant AND d.member_id = e.member_id AND d.day BETWEEN e.first AND e.last
