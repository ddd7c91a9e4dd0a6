INSERT INTO points.tally AS t (tenant_id, member_id, day, event, times)
SELECT :tenant, g.member_id, g.day, :event::text, g.times
FROM unnest(:members::bigint[], :days::date[], :times::bigint[]) AS g (member_id, day, times)
ORDER BY g.member_id, g.day
ON CONFLICT (tenant_id, member_id, day, event) DO UPDATE SET times = t.times + excluded.times
