UPDATE webhooks.resend
SET left_at = :low::bigint, queued = queued + :number::bigint, state = :state::text, revision = revision + 1,
    changed_at = core.now()
WHERE tenant_id = :tenant AND id = :id::bigint
RETURNING id
