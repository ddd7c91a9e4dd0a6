SELECT level, name, form, state, revision, changed_at FROM tiers.tier
WHERE tenant_id = :tenant AND level > :after::bigint AND (:state::text IS NULL OR state = :state::text)
  AND strpos(lower(name), lower(:search::text)) > 0
ORDER BY level LIMIT :most::bigint
