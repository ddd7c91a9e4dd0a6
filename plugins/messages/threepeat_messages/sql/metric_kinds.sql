SELECT plugin, kind, count(*)::bigint AS sent, count(read_at)::bigint AS read FROM messages.message
WHERE tenant_id = :tenant AND state = 'sent' AND channel = 'inbox'
  AND settled_at >= :since::timestamptz AND settled_at < :until::timestamptz
GROUP BY plugin, kind ORDER BY sent DESC, plugin, kind LIMIT :most::bigint
