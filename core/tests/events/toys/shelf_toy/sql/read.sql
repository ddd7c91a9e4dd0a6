SELECT * FROM shelf.jar WHERE tenant_id = :tenant AND id = :id::bigint
