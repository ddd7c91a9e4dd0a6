SELECT r.id FROM webhooks.resend r
WHERE r.tenant_id = :tenant AND r.state = 'running'
  AND NOT EXISTS (SELECT FROM core.timer t
                  WHERE t.tenant_id = :tenant AND t.plugin = 'webhooks' AND t.kind = 'timer'
                    AND t.name = 'resend' AND t.key = r.id::text)
