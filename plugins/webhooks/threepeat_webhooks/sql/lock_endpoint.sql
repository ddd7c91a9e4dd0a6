SELECT n.id, n.state FROM webhooks.endpoint n
WHERE n.tenant_id = :tenant
  AND n.id = (SELECT endpoint_id FROM webhooks.delivery WHERE tenant_id = :tenant AND id = :delivery::bigint)
FOR NO KEY UPDATE
