-- From the moment at which an erasure is asked for nothing of the member's is tried, though it waits to be removed.
SELECT d.id FROM webhooks.delivery d
WHERE d.tenant_id = :tenant AND d.state = 'queued'
  AND NOT EXISTS (SELECT FROM core.timer t
                  WHERE t.tenant_id = :tenant AND t.plugin = 'webhooks' AND t.kind = 'call'
                    AND t.name = 'deliver' AND t.key = d.id::text)
  AND NOT EXISTS (SELECT FROM core.member m
                  WHERE m.tenant_id = :tenant AND m.id = d.member_id AND m.erase_requested_at IS NOT NULL)
