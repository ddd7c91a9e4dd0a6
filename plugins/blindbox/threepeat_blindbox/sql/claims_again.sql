WITH due AS (
    SELECT id FROM blindbox.claim
    WHERE tenant_id = :tenant AND state = 'asked' AND member_id > 0
      AND asked_at < core.now() - interval '20 hours'
    ORDER BY asked_at LIMIT :most::bigint FOR NO KEY UPDATE
)
UPDATE blindbox.claim c SET times = c.times + 1, asked_at = core.now() FROM due d
WHERE c.tenant_id = :tenant AND c.id = d.id
RETURNING c.id, c.order_id, c.member_id, c.amount - c.back AS amount, c.reason, c.times
