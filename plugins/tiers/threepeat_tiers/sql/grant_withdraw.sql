UPDATE tiers.floor SET state = 'withdrawn', revision = revision + 1, changed_at = core.now()
WHERE tenant_id = :tenant AND id = :id::bigint AND revision = :revision::bigint AND source = 'granted'
  AND state = 'open' AND member_id > 0
RETURNING id, member_id, until
