UPDATE webhooks.endpoint
SET name = :name::text, url = :url::text, every = :every::boolean, types = :types::text[],
    revision = revision + 1, changed_at = core.now()
WHERE tenant_id = :tenant AND id = :id::bigint AND revision = :revision::bigint
RETURNING id
