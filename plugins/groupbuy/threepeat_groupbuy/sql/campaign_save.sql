UPDATE groupbuy.campaign
SET name = :name::text, sku = :sku::text, form = :form::text::jsonb, revision = revision + 1, changed_at = core.now()
WHERE tenant_id = :tenant AND id = :id::bigint AND revision = :revision::bigint AND state = :state::text
RETURNING id
