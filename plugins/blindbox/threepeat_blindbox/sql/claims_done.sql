UPDATE blindbox.claim SET state = 'done' WHERE tenant_id = :tenant AND id = ANY(:ids::bigint[])
