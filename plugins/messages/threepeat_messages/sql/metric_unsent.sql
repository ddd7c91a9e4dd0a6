SELECT reason, count(*)::bigint AS messages FROM messages.message
WHERE tenant_id = :tenant AND state IN ('held', 'withdrawn')
  AND settled_at >= :since::timestamptz AND settled_at < :until::timestamptz
GROUP BY reason ORDER BY messages DESC, reason
