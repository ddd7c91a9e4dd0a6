-- When members last checked in; making up for a day is not that.
SELECT member_id, max(checked_at) AS last FROM checkin.check_in
WHERE tenant_id = :tenant AND member_id = ANY(:members::bigint[]) AND make_up_month IS NULL
GROUP BY member_id
