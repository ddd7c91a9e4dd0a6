SELECT d.id FROM webhooks.delivery d
WHERE d.tenant_id = :tenant
  AND NOT EXISTS (SELECT FROM core.event e
                  WHERE e.tenant_id = :tenant AND e.position = d.position AND e.type = d.type)
