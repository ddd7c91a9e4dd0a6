SELECT id, name, sku, price, pool, room, held FROM blindbox.series
WHERE tenant_id = :tenant AND sku = ANY(:skus::text[]) AND state = 'on_sale'
