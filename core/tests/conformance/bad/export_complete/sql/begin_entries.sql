INSERT INTO diary.entry (tenant_id, search, member_id)
SELECT :tenant, search, member_id FROM unnest(:searches::text[], :members::bigint[]) AS given (search, member_id)
ON CONFLICT (tenant_id, search) DO NOTHING
