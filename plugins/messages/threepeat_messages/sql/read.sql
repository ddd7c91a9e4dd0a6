UPDATE messages.message SET read_at = core.now()
WHERE tenant_id = :tenant AND member_id = :member AND (:ids::bigint[] IS NULL OR id = ANY(:ids::bigint[]))
  AND state = 'sent' AND channel = 'inbox' AND hidden_at IS NULL AND cleared_at IS NULL AND read_at IS NULL
