UPDATE webhooks.endpoint SET rests_until = NULL, revision = revision + 1
WHERE tenant_id = :tenant AND id = :id::bigint AND revision = :revision::bigint AND state = 'active'
RETURNING revision
