INSERT INTO tiers.tier (tenant_id, level, name, form, changed_at)
SELECT :tenant, g.level, g.name, g.form::jsonb, core.now()
FROM unnest(:levels::bigint[], :names::text[], :forms::text[]) AS g (level, name, form)
WHERE NOT EXISTS (SELECT FROM tiers.tier WHERE tenant_id = :tenant)
ON CONFLICT DO NOTHING
