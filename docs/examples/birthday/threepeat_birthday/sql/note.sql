INSERT INTO birthday.present (tenant_id, member_id, year, given_on, state)
SELECT :tenant, member_id, year, :today, state
FROM unnest(CAST(:members AS bigint[]), CAST(:years AS bigint[]), CAST(:states AS text[]))
     AS given (member_id, year, state)
ON CONFLICT (tenant_id, member_id, year) DO NOTHING
