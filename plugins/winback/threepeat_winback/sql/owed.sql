-- Promised rewards that could not be given yet. Those of erased members stand under negative ids.
SELECT id, member_id, kind, amount, item, order_id, paid_at FROM winback.offer
WHERE tenant_id = :tenant AND state = 'owed' AND member_id > 0
ORDER BY id LIMIT :most::bigint
