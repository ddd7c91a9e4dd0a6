-- Marketing waits for the end of a night at most, and nothing else for more than a turn.
SELECT id, member_id FROM messages.message
WHERE tenant_id = :tenant AND state = 'queued' AND created_at < core.now() - interval '2 days'
