UPDATE tiers.store SET place_after = :after::bigint WHERE tenant_id = :tenant
