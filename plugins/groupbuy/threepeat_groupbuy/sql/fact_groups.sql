SELECT member_id, count(*) AS groups, count(*) FILTER (WHERE leads) AS led FROM groupbuy.seat
WHERE tenant_id = :tenant AND member_id = ANY(:members::bigint[]) AND state = 'succeeded'
GROUP BY member_id
