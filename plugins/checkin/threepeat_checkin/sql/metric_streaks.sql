-- Members by the streak that they are in. Days before the longest class are not looked at.
SELECT CASE WHEN streak < 3 THEN 1 WHEN streak < 7 THEN 3 WHEN streak < 30 THEN 7 ELSE 30 END AS at_least,
       count(*) AS members
FROM (
    SELECT member_id, count(*) AS streak FROM (
        SELECT member_id, day, max(day) OVER (PARTITION BY member_id) AS last,
               row_number() OVER (PARTITION BY member_id ORDER BY day DESC)::int AS n
        FROM checkin.check_in
        WHERE tenant_id = :tenant AND day BETWEEN :day::date - 31 AND :day::date
    ) mine
    WHERE day = last - n + 1 AND last >= :day::date - 1
    GROUP BY member_id
) streaks
GROUP BY 1
