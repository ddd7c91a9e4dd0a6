SELECT purpose, (settled_at AT TIME ZONE :timezone::text)::date AS day, count(*)::bigint AS messages
FROM messages.message
WHERE tenant_id = :tenant AND state = 'sent'
  AND settled_at >= :since::timestamptz AND settled_at < :until::timestamptz
GROUP BY 1, 2
