UPDATE groupbuy.team SET taken = taken - 1 WHERE tenant_id = :tenant AND id = :team::bigint
