-- Rewards of a day without check-in, and steps for more days in a row than there are.
WITH runs AS (
    SELECT member_id, min(day) AS first, max(day) AS last, count(*) AS days FROM (
        SELECT member_id, day, day - row_number() OVER (PARTITION BY member_id ORDER BY day)::int AS run
        FROM checkin.check_in WHERE tenant_id = :tenant
    ) d GROUP BY member_id, run
)
SELECT w.member_id, w.day, w.step, r.days FROM checkin.reward w
LEFT JOIN runs r ON r.member_id = w.member_id AND w.day BETWEEN r.first AND r.last
WHERE w.tenant_id = :tenant AND (r.days IS NULL OR w.step > r.days)
