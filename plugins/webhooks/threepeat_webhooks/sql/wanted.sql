SELECT count(DISTINCT n.id) AS endpoints, coalesce(bool_or(n.every), false) AS every,
       coalesce(array_agg(DISTINCT t.type) FILTER (WHERE t.type IS NOT NULL), '{}') AS types
FROM webhooks.endpoint n LEFT JOIN LATERAL unnest(n.types) AS t (type) ON NOT n.every
WHERE n.tenant_id = :tenant AND n.state = 'active'
