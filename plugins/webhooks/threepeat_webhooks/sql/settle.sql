UPDATE webhooks.delivery
SET state = :state::text, attempts = attempts + :made::bigint, tries = tries + :made::bigint,
    status = CASE WHEN :made::bigint = 0 THEN status ELSE :status::bigint END, failure = :failure::text,
    milliseconds = CASE WHEN :made::bigint = 0 THEN milliseconds ELSE :milliseconds::bigint END,
    due_at = :due::timestamptz, revision = revision + 1, changed_at = core.now()
WHERE tenant_id = :tenant AND id = :id::bigint AND state IN ('queued', 'stopped')
RETURNING id
