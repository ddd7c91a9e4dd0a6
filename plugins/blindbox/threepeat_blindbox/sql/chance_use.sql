WITH next AS (
    SELECT id FROM blindbox.chance
    WHERE tenant_id = :tenant AND member_id = :member::bigint AND series_id = :series::bigint AND state = 'open'
      AND valid_until > core.now()
    ORDER BY valid_until, id LIMIT 1 FOR NO KEY UPDATE
)
UPDATE blindbox.chance c SET state = 'used' FROM next n
WHERE c.tenant_id = :tenant AND c.id = n.id AND c.state = 'open'
RETURNING c.id
