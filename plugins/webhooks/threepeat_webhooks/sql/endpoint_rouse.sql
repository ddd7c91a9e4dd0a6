UPDATE webhooks.endpoint SET rests_until = NULL
WHERE tenant_id = :tenant AND id = :id::bigint AND rests_until IS NOT NULL
RETURNING id
