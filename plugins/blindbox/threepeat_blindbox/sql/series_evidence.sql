SELECT s.name, s.commitment, s.seed, s.draws, s.head, k.public_key,
       ARRAY(SELECT v.body FROM blindbox.version v
             WHERE v.tenant_id = :tenant AND v.series_id = s.id ORDER BY v.number) AS versions
FROM blindbox.series s JOIN blindbox.signer k ON k.tenant_id = :tenant
WHERE s.tenant_id = :tenant AND s.id = :id::bigint AND s.state = 'closed'
