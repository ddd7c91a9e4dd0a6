-- Promised rewards that could not be given yet. Those of erased members stand under negative ids.
SELECT member_id, occasion, level, period, number, kind, amount, item, paid, decided_at FROM tiers.gift
WHERE tenant_id = :tenant AND state = 'owed' AND member_id > 0 AND decided_at >= :decided_at::timestamptz
  AND (decided_at, member_id, occasion, level, period, number)
      > (:decided_at::timestamptz, :member_id::bigint, :occasion::text, :level::bigint, :period::text, :number::bigint)
ORDER BY decided_at, member_id, occasion, level, period, number LIMIT :most::bigint
