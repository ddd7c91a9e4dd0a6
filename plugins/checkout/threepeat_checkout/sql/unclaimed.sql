-- Refunds whose payment never came.
WITH gone AS (
    SELECT refund_id FROM checkout.refund
    WHERE tenant_id = :tenant AND quote_id IS NULL AND occurred_at <= core.now() - interval '90 days'
    ORDER BY refund_id LIMIT :most::bigint FOR UPDATE SKIP LOCKED
)
DELETE FROM checkout.refund r USING gone g WHERE r.tenant_id = :tenant AND r.refund_id = g.refund_id
RETURNING r.refund_id
