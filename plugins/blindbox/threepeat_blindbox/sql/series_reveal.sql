UPDATE blindbox.series s
SET state = 'closed', seed = g.seed, closed_at = core.now(), revision = s.revision + 1, changed_at = core.now()
FROM unnest(:ids::bigint[], :seeds::text[]) AS g (id, seed)
WHERE s.tenant_id = :tenant AND s.id = g.id
