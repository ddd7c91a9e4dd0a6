SELECT member_id, count(*)::bigint AS unread FROM messages.message
WHERE tenant_id = :tenant AND member_id = ANY(:members::bigint[])
  AND state = 'sent' AND channel = 'inbox' AND hidden_at IS NULL AND cleared_at IS NULL AND read_at IS NULL
GROUP BY member_id
