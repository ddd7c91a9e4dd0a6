SELECT id, name, price FROM blindbox.series
WHERE tenant_id = :tenant AND id = ANY(:ids::bigint[]) AND state = 'on_sale'
