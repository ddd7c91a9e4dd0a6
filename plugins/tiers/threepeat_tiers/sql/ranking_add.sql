INSERT INTO tiers.ranking (tenant_id, day, cuts, ranked, made_at)
SELECT :tenant, :day::date, coalesce(jsonb_object_agg(g.level, g.cut), '{}'::jsonb), :ranked::bigint, core.now()
FROM unnest(:levels::text[], :cuts::bigint[]) AS g (level, cut)
ON CONFLICT DO NOTHING
