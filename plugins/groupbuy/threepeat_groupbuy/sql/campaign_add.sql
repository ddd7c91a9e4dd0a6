INSERT INTO groupbuy.campaign (tenant_id, name, sku, form, changed_at)
VALUES (:tenant, :name::text, :sku::text, :form::text::jsonb, core.now())
RETURNING id
