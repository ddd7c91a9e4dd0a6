-- Members of whose registration nobody told.
INSERT INTO welcome.newcomer (tenant_id, member_id, registered_at)
SELECT :tenant, member_id, registered_at
FROM unnest(:members::bigint[], :times::timestamptz[]) AS g (member_id, registered_at)
ORDER BY member_id
ON CONFLICT DO NOTHING
