SELECT count(*)::bigint AS messages FROM messages.message WHERE tenant_id = :tenant AND state = 'queued'
