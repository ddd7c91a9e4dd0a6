-- Since when it fails: since now, if it was not called for long. The row is locked already.
UPDATE webhooks.endpoint n
SET failing_since = o.since, failed_at = core.now(),
    rests_until = CASE WHEN :slow::boolean
                       THEN core.now() + least(core.now() - o.since, :rest::interval) END
FROM (SELECT CASE WHEN failed_at > core.now() - :forget::interval THEN failing_since ELSE core.now() END AS since
      FROM webhooks.endpoint WHERE tenant_id = :tenant AND id = :id::bigint) o
WHERE n.tenant_id = :tenant AND n.id = :id::bigint
RETURNING n.failing_since
