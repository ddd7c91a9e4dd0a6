INSERT INTO blindbox.series (tenant_id, name, form, sku, price, daily_boxes, daily_money, changed_at)
VALUES (:tenant, :name::text, :form::jsonb, :sku::text, :price::bigint, :daily_boxes::bigint, :daily_money::bigint,
        core.now())
RETURNING id
