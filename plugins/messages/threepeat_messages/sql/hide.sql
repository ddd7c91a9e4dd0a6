UPDATE messages.message SET hidden_at = core.now()
WHERE tenant_id = :tenant AND member_id = :member AND id = ANY(:ids::bigint[])
  AND state = 'sent' AND channel = 'inbox' AND hidden_at IS NULL
