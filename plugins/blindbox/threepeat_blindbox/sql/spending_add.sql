INSERT INTO blindbox.spending (tenant_id, member_id, series_id, day, boxes, money)
SELECT :tenant, g.member_id, g.series_id, g.day, 0, 0
FROM unnest(:members::bigint[], :series::bigint[], :days::date[]) AS g (member_id, series_id, day)
ON CONFLICT (tenant_id, member_id, series_id, day) DO NOTHING
