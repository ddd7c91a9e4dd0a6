UPDATE blindbox.series
SET name = :name::text, form = :form::jsonb, revision = revision + 1, changed_at = core.now()
WHERE tenant_id = :tenant AND id = :id::bigint
