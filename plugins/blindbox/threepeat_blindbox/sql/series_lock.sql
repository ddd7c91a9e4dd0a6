-- Series with the pools on sale and the store's key, one after another by id.
SELECT s.id, s.name, s.form, s.state, s.version, s.pool, s.draws, s.head, s.held, s.room, s.daily_boxes,
       s.daily_money, s.commitment, s.sealed, s.revision, v.body, k.public_key, k.sealed AS signer
FROM blindbox.series s
JOIN blindbox.version v ON v.tenant_id = :tenant AND v.series_id = s.id AND v.number = s.version
JOIN blindbox.signer k ON k.tenant_id = :tenant
WHERE s.tenant_id = :tenant AND s.id = ANY(:ids::bigint[])
ORDER BY s.id FOR NO KEY UPDATE OF s
