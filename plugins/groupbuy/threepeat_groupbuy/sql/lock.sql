SELECT id, state FROM groupbuy.team WHERE tenant_id = :tenant AND id = ANY(:ids::bigint[]) ORDER BY id FOR UPDATE
