SELECT id, plugin, kind, purpose, title, text, settled_at, read_at FROM messages.message
WHERE tenant_id = :tenant AND member_id = :member AND id < :before::bigint
  AND state = 'sent' AND channel = 'inbox' AND hidden_at IS NULL AND cleared_at IS NULL
ORDER BY id DESC LIMIT :most::bigint
