INSERT INTO tiers.version (tenant_id, number, rules, made_at)
VALUES (:tenant, :number::bigint, :rules::jsonb, core.now()) ON CONFLICT DO NOTHING
RETURNING number
