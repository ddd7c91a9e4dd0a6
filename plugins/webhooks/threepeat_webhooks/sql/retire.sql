UPDATE webhooks.endpoint SET old_secret = NULL, old_until = NULL
WHERE tenant_id = :tenant AND id = ANY (:ids::bigint[]) AND old_until <= core.now()
RETURNING id
