UPDATE points.bonus_day
SET name = :name::text, factor_tenths = :factor_tenths::bigint, first_day = :first_day::date,
    last_day = :last_day::date, audience = :audience::jsonb, revision = revision + 1, changed_at = core.now()
WHERE tenant_id = :tenant AND id = :id::bigint AND revision = :revision::bigint AND state = 'draft'
RETURNING id
