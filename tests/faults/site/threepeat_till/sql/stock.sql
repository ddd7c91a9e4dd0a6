SELECT coalesce(max("left"), 0) AS left FROM till.stock WHERE tenant_id = :tenant
