INSERT INTO tiers.day_growth AS d (tenant_id, member_id, day, value)
SELECT :tenant, g.member_id, g.day, g.value
FROM unnest(:members::bigint[], :days::date[], :values::bigint[]) AS g (member_id, day, value)
ORDER BY g.member_id, g.day
ON CONFLICT (tenant_id, member_id, day) DO UPDATE SET value = d.value + excluded.value
