SELECT coalesce(sum(held), 0)::bigint AS held FROM tokens.purse WHERE tenant_id = :tenant
