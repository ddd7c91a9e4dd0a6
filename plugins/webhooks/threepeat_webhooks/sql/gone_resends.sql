DELETE FROM webhooks.resend
WHERE tenant_id = :tenant AND state = 'done' AND changed_at <= :before::timestamptz
RETURNING id
