-- What an endpoint is told of, among the positions above `low` up to `high`. What came in is on the server's
-- clock and what happened on the store's, which is another in a simulated store.
SELECT e.position FROM core.event e
JOIN webhooks.endpoint n ON n.tenant_id = :tenant AND n.id = :endpoint::bigint AND n.state = 'active'
 AND (n.every OR e.type = ANY (n.types))
WHERE e.tenant_id = :tenant AND e.position > :low::bigint AND e.position <= :high::bigint
  AND greatest(e.received_at, e.occurred_at) >= :since::timestamptz AND e.type <> 'webhooks.tested'
ORDER BY e.position
