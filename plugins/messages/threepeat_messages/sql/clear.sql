WITH old AS (
    SELECT id FROM messages.message
    WHERE tenant_id = :tenant AND settled_at < :before::timestamptz AND cleared_at IS NULL
    ORDER BY settled_at, id LIMIT :most::bigint FOR UPDATE SKIP LOCKED
)
UPDATE messages.message m SET title = NULL, text = NULL, cleared_at = core.now()
FROM old o WHERE m.tenant_id = :tenant AND m.id = o.id
RETURNING m.id
