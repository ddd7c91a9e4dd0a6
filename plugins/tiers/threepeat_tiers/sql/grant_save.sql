UPDATE tiers.floor f SET level = :level::bigint, until = :until::timestamptz, reason = :reason::text,
                         revision = f.revision + 1, changed_at = core.now()
WHERE f.tenant_id = :tenant AND f.id = :id::bigint AND f.revision = :revision::bigint AND f.source = 'granted'
  AND f.state = 'open' AND f.member_id > 0
  AND EXISTS (SELECT FROM tiers.tier t
              WHERE t.tenant_id = :tenant AND t.level = :level::bigint AND t.state = 'active')
RETURNING f.id, f.member_id, f.until
