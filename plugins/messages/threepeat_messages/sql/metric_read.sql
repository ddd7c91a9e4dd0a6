SELECT settled_at >= :since::timestamptz AS current, count(*)::bigint AS sent, count(read_at)::bigint AS read
FROM messages.message
WHERE tenant_id = :tenant AND state = 'sent' AND channel = 'inbox'
  AND settled_at >= :before::timestamptz AND settled_at < :until::timestamptz
GROUP BY 1
