SELECT d.id FROM webhooks.delivery d
WHERE d.tenant_id = :tenant AND d.state = 'queued'
  AND NOT EXISTS (SELECT FROM core.timer t
                  WHERE t.tenant_id = :tenant AND t.plugin = 'webhooks' AND t.kind = 'call'
                    AND t.name = 'deliver' AND t.key = d.id::text)
