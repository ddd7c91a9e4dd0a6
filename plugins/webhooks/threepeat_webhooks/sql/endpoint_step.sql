UPDATE webhooks.endpoint
SET state = :into::text, reason = '', failing_since = NULL, failed_at = NULL, rests_until = NULL,
    revision = revision + 1, changed_at = core.now()
WHERE tenant_id = :tenant AND id = :id::bigint AND revision = :revision::bigint AND state = ANY (:states::text[])
RETURNING id
