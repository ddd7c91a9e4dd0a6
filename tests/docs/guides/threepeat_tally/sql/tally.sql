INSERT INTO tally.count AS c (tenant_id, type, events)
SELECT :tenant, type, events FROM unnest(:types::text[], :counts::bigint[]) AS given (type, events)
ORDER BY type
ON CONFLICT (tenant_id, type) DO UPDATE SET events = c.events + excluded.events
