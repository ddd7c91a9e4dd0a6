SELECT coalesce(sum(held), 0)::bigint AS held FROM sampler.purse WHERE tenant_id = :tenant
