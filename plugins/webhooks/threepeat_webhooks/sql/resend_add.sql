INSERT INTO webhooks.resend (tenant_id, endpoint_id, since, missed, left_at, created_at, changed_at)
SELECT :tenant, :endpoint::bigint, :since::timestamptz, :missed::boolean,
       coalesce((SELECT max(position) FROM core.event WHERE tenant_id = :tenant), 0), core.now(), core.now()
ON CONFLICT (tenant_id, endpoint_id) WHERE state = 'running' DO NOTHING
RETURNING id
