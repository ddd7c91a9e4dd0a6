UPDATE till.stock SET "left" = "left" - 1 WHERE tenant_id = :tenant AND "left" >= 1 RETURNING "left"
