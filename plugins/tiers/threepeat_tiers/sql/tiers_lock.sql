SELECT level FROM tiers.tier WHERE tenant_id = :tenant ORDER BY level FOR UPDATE
