-- Everything up to here was written while the tactic was off, or is counted already.
INSERT INTO tiers.store AS s (tenant_id, closing, learn_after)
SELECT :tenant, false, nullif(coalesce(max(position), 0), 0) FROM core.event WHERE tenant_id = :tenant
ON CONFLICT (tenant_id) DO UPDATE SET closing = false, learn_after = excluded.learn_after, place_after = NULL
RETURNING learn_after
