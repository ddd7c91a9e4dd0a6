INSERT INTO tiers.interaction AS i (tenant_id, member_id, day, kind, times, growth)
SELECT :tenant, g.member_id, g.day, :kind::text, g.times, g.growth
FROM unnest(:members::bigint[], :days::date[], :times::bigint[], :brought::bigint[])
    AS g (member_id, day, times, growth)
ORDER BY g.member_id, g.day
ON CONFLICT (tenant_id, member_id, day, kind) DO UPDATE
SET times = excluded.times, growth = i.growth + excluded.growth
