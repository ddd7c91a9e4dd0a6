SELECT series_id, item, put, taken FROM blindbox.stock
WHERE tenant_id = :tenant AND series_id = ANY(:series::bigint[])
