-- Steps that a run gave more often than its days allow; what another identity of the member got does not count.
WITH runs AS (
    SELECT member_id, min(day) AS first, max(day) AS last, count(*) AS days FROM (
        SELECT member_id, day, day - row_number() OVER (PARTITION BY member_id ORDER BY day)::int AS run
        FROM checkin.check_in WHERE tenant_id = :tenant
    ) d GROUP BY member_id, run
)
SELECT w.member_id, r.first, w.step, count(*) AS times FROM checkin.reward w
JOIN runs r ON r.member_id = w.member_id AND w.day BETWEEN r.first AND r.last
WHERE w.tenant_id = :tenant AND w.step > 0 AND w.state = 'granted' AND NOT w.merged
GROUP BY w.member_id, r.first, w.step, r.days
HAVING count(*) > r.days / w.step
