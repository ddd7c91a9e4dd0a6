SELECT n.id, n.name, n.url, n.every, n.types, n.state, n.reason, n.failing_since, n.arrived_at, n.revision,
       n.changed_at, CASE WHEN n.old_until > core.now() THEN n.old_until END AS old_until,
       CASE WHEN n.rests_until > core.now() THEN n.rests_until END AS rests_until,
       (SELECT count(*) FROM webhooks.delivery d
        WHERE d.tenant_id = :tenant AND d.endpoint_id = n.id AND d.state = 'queued') AS waiting
FROM webhooks.endpoint n WHERE n.tenant_id = :tenant AND n.id = :id::bigint
