SELECT d.id, d.type, d.state, d.attempts, d.status, d.failure, d.due_at, d.revision, d.created_at, d.changed_at,
       d.milliseconds, n.name, n.url
FROM webhooks.delivery d JOIN webhooks.endpoint n ON n.tenant_id = :tenant AND n.id = d.endpoint_id
WHERE d.tenant_id = :tenant AND d.id < :before::bigint AND (:state::text IS NULL OR d.state = :state::text)
  AND strpos(d.type, lower(:search::text)) > 0
ORDER BY d.id DESC LIMIT :most::bigint
