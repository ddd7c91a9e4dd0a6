UPDATE webhooks.endpoint
SET old_secret = secret, old_until = :until::timestamptz, secret = :secret::text,
    revision = revision + 1, changed_at = core.now()
WHERE tenant_id = :tenant AND id = :id::bigint AND revision = :revision::bigint
RETURNING id
