INSERT INTO tiers.store AS s (tenant_id, closing) VALUES (:tenant, true)
ON CONFLICT (tenant_id) DO UPDATE SET closing = true
