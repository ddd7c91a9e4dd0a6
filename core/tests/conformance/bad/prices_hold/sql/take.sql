INSERT INTO matinee.seats AS s (tenant_id, id, taken) VALUES (:tenant, 1, :seats::bigint)
ON CONFLICT (tenant_id, id) DO UPDATE SET taken = s.taken + excluded.taken WHERE s.taken + excluded.taken <= :most::bigint
RETURNING taken
