-- Deliveries that are over for so long, `most` of them.
WITH old AS (
    SELECT id FROM webhooks.delivery
    WHERE tenant_id = :tenant AND state <> 'queued' AND changed_at <= :before::timestamptz
    ORDER BY changed_at LIMIT :most::bigint FOR UPDATE SKIP LOCKED
)
DELETE FROM webhooks.delivery d USING old o WHERE d.tenant_id = :tenant AND d.id = o.id
RETURNING d.id
