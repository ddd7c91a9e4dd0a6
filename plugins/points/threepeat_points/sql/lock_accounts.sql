-- Everything about a member's points happens under this lock, taken in the order of member ids.
SELECT member_id, debt FROM points.account
WHERE tenant_id = :tenant AND member_id = ANY(:members::bigint[])
ORDER BY member_id FOR UPDATE
