SELECT id, name, sku, form, state FROM groupbuy.campaign WHERE tenant_id = :tenant AND id = :id::bigint
