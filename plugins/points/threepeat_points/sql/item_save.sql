UPDATE points.item
SET name = :name::text, description = :description::text, kind = :kind::text, reward = :reward::jsonb,
    price = :price::bigint, stock = :stock::bigint, per_member = :per_member::bigint, per_day = :per_day::bigint,
    first_day = :first_day::date, last_day = :last_day::date, audience = :audience::jsonb,
    revision = revision + 1, changed_at = core.now()
WHERE tenant_id = :tenant AND id = :id::bigint AND revision = :revision::bigint AND state IN ('draft', 'paused')
RETURNING id
