UPDATE blindbox.series
SET name = :name::text, form = :form::jsonb, sku = :sku::text, price = :price::bigint,
    daily_boxes = :daily_boxes::bigint, daily_money = :daily_money::bigint, revision = revision + 1,
    changed_at = core.now()
WHERE tenant_id = :tenant AND id = :id::bigint AND revision = :revision::bigint AND state = 'draft'
RETURNING id
