SELECT state, tries FROM webhooks.delivery
WHERE tenant_id = :tenant AND id = :id::bigint AND state IN ('queued', 'stopped') FOR UPDATE
