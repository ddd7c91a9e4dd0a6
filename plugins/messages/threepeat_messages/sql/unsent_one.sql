SELECT id, member_id, plugin, kind, state, reason, settled_at FROM messages.message
WHERE tenant_id = :tenant AND state IN ('held', 'withdrawn') AND id = :id::bigint
