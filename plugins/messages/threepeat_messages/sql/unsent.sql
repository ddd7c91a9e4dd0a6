SELECT id, member_id, plugin, kind, state, reason, settled_at FROM messages.message
WHERE tenant_id = :tenant AND state IN ('held', 'withdrawn') AND id < :before::bigint
  AND (:state::text IS NULL OR state = :state::text)
  AND (:every::boolean OR (plugin, kind) IN (SELECT * FROM unnest(:plugins::text[], :kinds::text[])))
ORDER BY id DESC LIMIT :most::bigint
