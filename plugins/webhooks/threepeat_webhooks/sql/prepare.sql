SELECT d.id, d.position, n.state, n.url, n.secret, n.rests_until > core.now() AS resting,
       CASE WHEN n.old_until > core.now() THEN n.old_secret END AS old_secret
FROM webhooks.delivery d JOIN webhooks.endpoint n ON n.tenant_id = :tenant AND n.id = d.endpoint_id
WHERE d.tenant_id = :tenant AND d.id = ANY (:ids::bigint[]) AND d.state = 'queued'
