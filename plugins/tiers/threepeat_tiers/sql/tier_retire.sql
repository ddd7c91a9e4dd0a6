UPDATE tiers.tier SET state = 'retired', revision = revision + 1, changed_at = core.now()
WHERE tenant_id = :tenant AND level = :level::bigint AND revision = :revision::bigint AND state = 'active'
RETURNING level
