SELECT learn_after, place_after FROM tiers.store
WHERE tenant_id = :tenant AND (learn_after IS NOT NULL OR place_after IS NOT NULL)
