-- Where all is well a row of the endpoint's is written once a minute, and deliveries do not wait for each other.
UPDATE webhooks.endpoint
SET failing_since = NULL, failed_at = NULL, rests_until = NULL, arrived_at = core.now()
WHERE tenant_id = :tenant
  AND id = (SELECT endpoint_id FROM webhooks.delivery WHERE tenant_id = :tenant AND id = :delivery::bigint)
  AND (failing_since IS NOT NULL OR arrived_at IS NULL OR arrived_at <= core.now() - interval '1 minute')
RETURNING id
