SELECT d.id FROM webhooks.delivery d
WHERE d.tenant_id = :tenant
  AND NOT EXISTS (SELECT FROM webhooks.endpoint n WHERE n.tenant_id = :tenant AND n.id = d.endpoint_id)
