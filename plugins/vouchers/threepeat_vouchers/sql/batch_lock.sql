SELECT id, size, made, secret FROM vouchers.batch
WHERE tenant_id = :tenant AND id = :id::bigint AND state = 'making' FOR NO KEY UPDATE
