UPDATE winback.progress SET position = greatest(position - :most::bigint, 0) WHERE tenant_id = :tenant
RETURNING position
