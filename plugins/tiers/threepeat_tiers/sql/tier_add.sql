-- A retired tier of the level is taken up again; one that is there stays.
INSERT INTO tiers.tier AS t (tenant_id, level, name, form, changed_at)
VALUES (:tenant, :level::bigint, :name::text, :form::jsonb, core.now())
ON CONFLICT (tenant_id, level) DO UPDATE
SET name = excluded.name, form = excluded.form, state = 'active', revision = t.revision + 1, changed_at = core.now()
WHERE t.state = 'retired'
RETURNING level
