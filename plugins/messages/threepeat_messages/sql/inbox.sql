-- By when it was sent: what waited for the morning stands above what came in the night.
SELECT id, plugin, kind, purpose, title, text, settled_at, read_at FROM messages.message
WHERE tenant_id = :tenant AND member_id = :member
  AND (settled_at, id) < ((
          SELECT coalesce(max(settled_at), 'infinity') FROM messages.message
          WHERE tenant_id = :tenant AND member_id = :member AND id = :before::bigint
      ), :before::bigint)
  AND state = 'sent' AND channel = 'inbox' AND hidden_at IS NULL AND cleared_at IS NULL
ORDER BY settled_at DESC, id DESC LIMIT :most::bigint
