SELECT id, name, factor_tenths, first_day, last_day, audience, state, revision, begins_at, ends_at, changed_at
FROM points.bonus_day
WHERE tenant_id = :tenant AND id < :before::bigint AND (:state::text IS NULL OR state = :state::text)
  AND strpos(lower(name), lower(:search::text)) > 0
ORDER BY id DESC LIMIT :most::bigint
