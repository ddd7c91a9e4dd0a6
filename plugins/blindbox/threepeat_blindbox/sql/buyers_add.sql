INSERT INTO blindbox.buyer (tenant_id, member_id, series_id, tag, salt)
SELECT :tenant, g.member_id, g.series_id, g.tag, g.salt
FROM unnest(:members::bigint[], :series::bigint[], :tags::text[], :salts::text[]) AS g (member_id, series_id, tag, salt)
ON CONFLICT (tenant_id, member_id, series_id) DO NOTHING
