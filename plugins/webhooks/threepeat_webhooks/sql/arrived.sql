UPDATE webhooks.endpoint SET failing_since = NULL, arrived_at = core.now()
WHERE tenant_id = :tenant AND id = :id::bigint
RETURNING id
