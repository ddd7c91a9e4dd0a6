-- A key that the target has, too, gets the row's own number behind it.
UPDATE messages.message m
SET member_id = :target, merged = merged OR state = 'sent',
    key = CASE WHEN EXISTS (
              SELECT FROM messages.message o
              WHERE o.tenant_id = :tenant AND o.member_id = :target
                AND (o.plugin, o.kind, o.key) = (m.plugin, m.kind, m.key))
          THEN left(m.key, 32) || '/' || m.id ELSE m.key END
WHERE m.tenant_id = :tenant AND m.member_id = :source
