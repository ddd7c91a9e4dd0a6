SELECT r.id, r.endpoint_id, r.since, r.missed, r.left_at, n.state AS endpoint_state
FROM webhooks.resend r JOIN webhooks.endpoint n ON n.tenant_id = :tenant AND n.id = r.endpoint_id
WHERE r.tenant_id = :tenant AND r.id = :id::bigint AND r.state = 'running' FOR UPDATE OF r
