SELECT id, name, url, every, types, state, reason, old_until, failing_since, arrived_at, revision, changed_at
FROM webhooks.endpoint
WHERE tenant_id = :tenant AND id < :before::bigint AND (:state::text IS NULL OR state = :state::text)
  AND strpos(lower(name), lower(:search::text)) > 0
ORDER BY id DESC LIMIT :most::bigint
