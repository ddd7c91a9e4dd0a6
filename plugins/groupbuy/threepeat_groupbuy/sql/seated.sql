-- Groups in which members have a seat that may still change.
SELECT DISTINCT team_id FROM groupbuy.seat
WHERE tenant_id = :tenant AND member_id = ANY(:members::bigint[]) AND state IN ('held', 'joined')
