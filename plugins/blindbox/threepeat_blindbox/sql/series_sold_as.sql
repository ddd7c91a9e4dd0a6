SELECT id FROM blindbox.series WHERE tenant_id = :tenant AND sku = :sku::text AND state = 'on_sale'
