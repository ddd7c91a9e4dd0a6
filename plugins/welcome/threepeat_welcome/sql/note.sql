-- Who registered, and when for the first time.
INSERT INTO welcome.newcomer AS n (tenant_id, member_id, registered_at)
SELECT :tenant, member_id, min(registered_at)
FROM unnest(:members::bigint[], :times::timestamptz[]) AS g (member_id, registered_at)
GROUP BY member_id ORDER BY member_id
ON CONFLICT (tenant_id, member_id) DO UPDATE SET registered_at = excluded.registered_at
WHERE excluded.registered_at < n.registered_at
