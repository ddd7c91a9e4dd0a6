UPDATE webhooks.delivery
SET state = 'queued', tries = 0, due_at = core.now(), revision = revision + 1, changed_at = core.now()
WHERE tenant_id = :tenant AND id = :id::bigint AND revision = :revision::bigint AND state <> 'queued'
RETURNING id, member_id
