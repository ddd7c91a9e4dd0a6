UPDATE webhooks.endpoint SET failing_since = coalesce(failing_since, core.now())
WHERE tenant_id = :tenant AND id = :id::bigint
RETURNING failing_since
