SELECT * FROM shelf.jar
WHERE tenant_id = :tenant AND id > :after::bigint AND (:state::text IS NULL OR state = :state::text)
  AND strpos(lower(body ->> 'name'), lower(:search::text)) > 0
ORDER BY id LIMIT :most::bigint
