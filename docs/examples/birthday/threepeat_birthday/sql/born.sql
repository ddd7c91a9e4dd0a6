SELECT member_id FROM birthday.date
WHERE tenant_id = :tenant AND member_id = ANY(CAST(:members AS bigint[])) AND month = :month
