UPDATE tiers.tier SET name = :name::text, form = :form::jsonb, revision = revision + 1, changed_at = core.now()
WHERE tenant_id = :tenant AND level = :level::bigint AND revision = :revision::bigint AND state = 'active'
RETURNING level
