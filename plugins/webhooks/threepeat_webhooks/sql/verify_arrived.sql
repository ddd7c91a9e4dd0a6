SELECT d.id FROM webhooks.delivery d
WHERE d.tenant_id = :tenant
  AND ((d.state = 'delivered') IS DISTINCT FROM (d.failure = '' AND coalesce(d.status BETWEEN 200 AND 299, false))
       AND d.state NOT IN ('queued', 'stopped') OR d.tries > d.attempts)
