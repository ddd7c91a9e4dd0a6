-- Promised rewards that could not be given yet. Those of erased members stand under negative ids.
SELECT id, member_id, part, number, kind, amount, item, order_id, decided_at FROM welcome.gift
WHERE tenant_id = :tenant AND state = 'owed' AND member_id > 0
ORDER BY id LIMIT :most::bigint
