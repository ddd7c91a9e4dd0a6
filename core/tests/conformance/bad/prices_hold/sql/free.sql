UPDATE matinee.seats SET taken = taken - :seats::bigint WHERE tenant_id = :tenant AND id = 1
