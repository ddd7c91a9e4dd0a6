-- Refunds that came before the payments of their orders.
WITH given AS (
    SELECT * FROM unnest(:quotes::text[], :orders::text[], :members::bigint[]) AS g (quote_id, order_id, member_id)
), found AS (
    SELECT r.refund_id, g.quote_id FROM given g
    JOIN checkout.refund r ON r.tenant_id = :tenant AND r.quote_id IS NULL AND r.order_id = g.order_id
    WHERE g.member_id IS NULL OR r.member_id = g.member_id
    UNION ALL
    SELECT r.refund_id, g.quote_id FROM given g
    JOIN checkout.refund r ON r.tenant_id = :tenant AND r.quote_id IS NULL AND r.reservation_id = g.quote_id
    WHERE r.order_id IS NULL AND (g.member_id IS NULL OR r.member_id = g.member_id)
)
UPDATE checkout.refund r SET quote_id = f.quote_id FROM found f
WHERE r.tenant_id = :tenant AND r.refund_id = f.refund_id AND r.quote_id IS NULL
RETURNING r.quote_id
