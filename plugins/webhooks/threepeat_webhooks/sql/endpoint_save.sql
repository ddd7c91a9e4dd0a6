-- Another address has not failed yet.
UPDATE webhooks.endpoint
SET name = :name::text, url = :url::text, every = :every::boolean, types = :types::text[],
    failing_since = CASE WHEN url = :url::text THEN failing_since END,
    failed_at = CASE WHEN url = :url::text THEN failed_at END, rests_until = NULL,
    revision = revision + 1, changed_at = core.now()
WHERE tenant_id = :tenant AND id = :id::bigint AND revision = :revision::bigint
RETURNING id
