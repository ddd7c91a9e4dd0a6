INSERT INTO blindbox.version (tenant_id, series_id, number, body, hash, why, published_at)
SELECT :tenant, g.series_id, g.number, g.body, g.hash, g.why, core.now()
FROM unnest(:series::bigint[], :numbers::bigint[], :bodies::text[], :hashes::text[], :whys::text[])
     AS g (series_id, number, body, hash, why)
