SELECT DISTINCT member_id FROM weatherpack.offer
WHERE tenant_id = :tenant AND member_id = ANY(CAST(:members AS bigint[])) AND state = 'open' AND until > :now
