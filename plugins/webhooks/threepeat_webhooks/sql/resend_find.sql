SELECT r.id, r.endpoint_id, r.since, r.missed, r.state, r.queued, r.revision, r.changed_at, n.name
FROM webhooks.resend r JOIN webhooks.endpoint n ON n.tenant_id = :tenant AND n.id = r.endpoint_id
WHERE r.tenant_id = :tenant AND r.id < :before::bigint AND (:state::text IS NULL OR r.state = :state::text)
  AND strpos(lower(n.name), lower(:search::text)) > 0
ORDER BY r.id DESC LIMIT :most::bigint
