-- Promised rewards that could not be given yet. Those of erased members stand under negative ids.
SELECT member_id, occasion, level, period, number, kind, amount, item, decided_at FROM tiers.gift
WHERE tenant_id = :tenant AND state = 'owed' AND member_id > 0
ORDER BY decided_at, member_id, occasion, level, period, number LIMIT :most::bigint
