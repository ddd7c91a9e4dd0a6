-- What one of the two read is not sent to the other, and what waits for both waits once.
DELETE FROM messages.message m USING messages.message o
WHERE m.tenant_id = :tenant AND o.tenant_id = :tenant AND m.state = 'queued'
  AND (m.plugin, m.kind, left(m.key, 32)) = (o.plugin, o.kind, left(o.key, 32))
  AND (m.member_id, o.member_id) IN ((:source::bigint, :target::bigint), (:target::bigint, :source::bigint))
  AND (o.state = 'sent' OR (o.state = 'queued' AND m.member_id = :source))
