UPDATE till.stock SET "left" = "left" - 1 WHERE tenant_id = :tenant
