SELECT id, name, form, state, revision, changed_at FROM blindbox.series
WHERE tenant_id = :tenant AND id < :before::bigint AND (:state::text IS NULL OR state = :state::text)
  AND strpos(lower(name), lower(:search::text)) > 0
ORDER BY id DESC LIMIT :most::bigint
