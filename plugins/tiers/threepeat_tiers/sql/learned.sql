UPDATE tiers.store SET learn_after = nullif(greatest(learn_after - :most::bigint, 0), 0),
                       place_after = CASE WHEN learn_after <= :most::bigint THEN 0 END
WHERE tenant_id = :tenant
