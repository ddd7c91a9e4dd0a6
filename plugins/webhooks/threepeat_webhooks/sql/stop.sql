-- What waits for an endpoint, or for any of them.
WITH waiting AS (
    SELECT id FROM webhooks.delivery
    WHERE tenant_id = :tenant AND state = 'queued'
      AND (:endpoint::bigint IS NULL OR endpoint_id = :endpoint::bigint)
    ORDER BY id FOR UPDATE
), stopped AS (
    UPDATE webhooks.delivery d
    SET state = 'stopped', due_at = NULL, revision = revision + 1, changed_at = core.now()
    FROM waiting w WHERE d.tenant_id = :tenant AND d.id = w.id
    RETURNING d.id
)
SELECT count(*) AS stopped FROM stopped
