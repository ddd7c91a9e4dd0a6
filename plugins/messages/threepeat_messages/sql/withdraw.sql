WITH waiting AS (
    SELECT m.id FROM messages.message m
    JOIN unnest(:members::bigint[], :channels::text[]) AS g (member_id, channel)
      ON g.member_id = m.member_id AND g.channel = m.channel
    WHERE m.tenant_id = :tenant AND m.state = 'queued' AND m.purpose = 'marketing'
    ORDER BY m.member_id, m.purpose DESC, m.id FOR UPDATE OF m
)
UPDATE messages.message m SET state = 'withdrawn', reason = 'refused', written = NULL, settled_at = core.now()
FROM waiting w WHERE m.tenant_id = :tenant AND m.id = w.id
