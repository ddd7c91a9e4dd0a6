INSERT INTO footfall.visit (tenant_id, member_id, day, place)
SELECT DISTINCT :tenant, member_id, day, place
FROM unnest(:members::bigint[], :days::date[], :places::text[]) AS given (member_id, day, place)
ORDER BY member_id, day, place
ON CONFLICT (tenant_id, member_id, day, place) DO NOTHING
