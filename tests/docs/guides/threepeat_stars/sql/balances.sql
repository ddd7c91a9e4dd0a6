SELECT member_id, stars FROM stars.account WHERE tenant_id = :tenant AND member_id = ANY(:members::bigint[])
