UPDATE points.bonus_day
SET state = 'published', begins_at = :begins_at::timestamptz, ends_at = :ends_at::timestamptz,
    revision = revision + 1, changed_at = core.now()
WHERE tenant_id = :tenant AND id = :id::bigint AND revision = :revision::bigint AND state = 'draft'
RETURNING id
