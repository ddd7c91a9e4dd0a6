-- Days in a row up to a day, or up to the day before it; members whose streak is broken are absent.
SELECT member_id, count(*) AS streak FROM (
    SELECT member_id, day, max(day) OVER (PARTITION BY member_id) AS last,
           row_number() OVER (PARTITION BY member_id ORDER BY day DESC)::int AS n
    FROM checkin.check_in
    WHERE tenant_id = :tenant AND member_id = ANY(:members::bigint[]) AND day <= :day::date
) mine
WHERE day = last - n + 1 AND last >= :day::date - 1
GROUP BY member_id
