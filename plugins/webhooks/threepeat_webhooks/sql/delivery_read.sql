SELECT d.id, d.type, d.state, d.attempts, d.status, d.failure, d.due_at, d.revision, d.created_at, d.changed_at,
       d.position, d.milliseconds, n.name, n.url, n.id AS endpoint_id, n.state AS endpoint_state
FROM webhooks.delivery d JOIN webhooks.endpoint n ON n.tenant_id = :tenant AND n.id = d.endpoint_id
WHERE d.tenant_id = :tenant AND d.id = :id::bigint
