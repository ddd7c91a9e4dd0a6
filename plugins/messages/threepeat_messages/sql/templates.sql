SELECT plugin, kind, enabled, channel, text_zh, text_en, revision, changed_at FROM messages.template
WHERE tenant_id = :tenant
