SELECT count(*) FILTER (WHERE state = 'active') AS failing, count(*) FILTER (WHERE state = 'disabled') AS disabled
FROM webhooks.endpoint
WHERE tenant_id = :tenant AND (state = 'disabled' OR state = 'active' AND failing_since IS NOT NULL)
