-- More on a day or in a week than the largest cap under which any of it went, or more than was counted.
WITH sent AS (
    SELECT member_id, local_day, date_trunc('week', local_day)::date AS week, per_day, per_week
    FROM messages.message
    WHERE tenant_id = :tenant AND state = 'sent' AND purpose = 'marketing' AND NOT merged
), days AS (
    SELECT member_id, local_day, count(*) AS number, max(per_day) AS most FROM sent GROUP BY 1, 2
), weeks AS (
    SELECT member_id, week, count(*) AS number, max(per_week) AS most FROM sent GROUP BY 1, 2
)
SELECT member_id, local_day AS since FROM days WHERE number > most
UNION ALL
SELECT member_id, week FROM weeks WHERE number > most
UNION ALL
SELECT d.member_id, d.local_day FROM days d
LEFT JOIN messages.allowance a ON a.tenant_id = :tenant AND a.member_id = d.member_id
WHERE a.member_id IS NULL OR (a.day = d.local_day AND a.day_sent < d.number)
