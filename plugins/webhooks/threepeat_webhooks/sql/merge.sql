WITH mine AS (
    SELECT id FROM webhooks.delivery WHERE tenant_id = :tenant AND member_id = :source::bigint
    ORDER BY id FOR UPDATE
)
UPDATE webhooks.delivery d SET member_id = :target::bigint FROM mine m WHERE d.tenant_id = :tenant AND d.id = m.id
