SELECT id, form FROM groupbuy.campaign WHERE tenant_id = :tenant AND id = ANY(:ids::bigint[])
