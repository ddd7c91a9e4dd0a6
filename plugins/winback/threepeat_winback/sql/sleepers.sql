-- Buyers who sleep and are not lost, whom nobody looked at lately; who fell asleep last comes first.
SELECT member_id FROM winback.activity
WHERE tenant_id = :tenant AND bought AND last_at <= :asleep::timestamptz AND last_at > :lost::timestamptz
  AND (looked_at IS NULL OR looked_at <= :cooled::timestamptz) AND offers < :offers::bigint
ORDER BY last_at DESC, member_id LIMIT :most::bigint
