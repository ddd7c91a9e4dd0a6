INSERT INTO tiers.floor (tenant_id, member_id, source, level, begins_at, until, days, customer, reason, changed_at)
SELECT :tenant, :member::bigint, 'granted', t.level, core.now(), :until::timestamptz, 0, :customer::text,
       :reason::text, core.now()
FROM tiers.tier t WHERE t.tenant_id = :tenant AND t.level = :level::bigint AND t.state = 'active'
RETURNING id, member_id, until
