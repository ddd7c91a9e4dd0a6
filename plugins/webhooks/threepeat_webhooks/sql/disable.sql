UPDATE webhooks.endpoint
SET state = 'disabled', reason = :reason::text, revision = revision + 1, changed_at = core.now()
WHERE tenant_id = :tenant AND id = :id::bigint AND state = 'active'
RETURNING id
