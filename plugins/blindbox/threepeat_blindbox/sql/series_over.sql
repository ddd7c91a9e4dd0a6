SELECT id, sealed, draws FROM blindbox.series
WHERE tenant_id = :tenant AND id = ANY(:ids::bigint[]) AND state = 'ending' AND held = 0
ORDER BY id FOR NO KEY UPDATE
