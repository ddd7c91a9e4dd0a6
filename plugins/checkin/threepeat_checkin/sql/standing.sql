-- How a member stands on a day: the first and the last check-in up to it, the days in a row that end with the last,
-- and how many days were made up for in the month.
SELECT min(day) AS first, max(last) AS last, count(*) FILTER (WHERE day = last - n + 1) AS run,
       coalesce((SELECT used FROM checkin.make_up
                 WHERE tenant_id = :tenant AND member_id = :member AND month = :month::date), 0) AS used
FROM (
    SELECT day, max(day) OVER () AS last, row_number() OVER (ORDER BY day DESC)::int AS n FROM checkin.check_in
    WHERE tenant_id = :tenant AND member_id = :member AND day <= :day::date
) mine
