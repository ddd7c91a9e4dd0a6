-- The pools on sale of locked series, what is left of their items, and the store's key.
SELECT s.id, v.body, k.public_key, k.sealed AS signer,
       (SELECT jsonb_object_agg(t.item, t.put - t.taken) FROM blindbox.stock t
        WHERE t.tenant_id = :tenant AND t.series_id = s.id) AS remaining
FROM blindbox.series s
JOIN blindbox.version v ON v.tenant_id = :tenant AND v.series_id = s.id AND v.number = s.version
JOIN blindbox.signer k ON k.tenant_id = :tenant
WHERE s.tenant_id = :tenant AND s.id = ANY(:ids::bigint[])
