-- What waits for some members, service notices before marketing, if that is asked for. Locked: of two who look, one
-- finds it settled.
SELECT id, member_id, plugin, kind, purpose, channel, written, happened_at, until FROM messages.message
WHERE tenant_id = :tenant AND state = 'queued' AND member_id = ANY(:members::bigint[])
  AND (:marketing::boolean OR purpose = 'service')
ORDER BY member_id, purpose DESC, id LIMIT :most::bigint FOR UPDATE
