-- What the shop paid back of orders with seats; each refund's key counts it once, as an answer or before the question.
WITH known AS (
    INSERT INTO groupbuy.payback (tenant_id, refund_id, member_id, order_id, amount)
    SELECT :tenant, g.refund_id, g.member_id, g.order_id, g.amount
    FROM unnest(:refunds::text[], :members::bigint[], :orders::text[], :amounts::bigint[])
         AS g (refund_id, member_id, order_id, amount)
    WHERE EXISTS (SELECT FROM groupbuy.seat s
                  WHERE s.tenant_id = :tenant AND s.order_id = g.order_id AND s.member_id = g.member_id)
    ORDER BY g.refund_id
    ON CONFLICT (tenant_id, refund_id) DO NOTHING
    RETURNING order_id, member_id, amount
), sums AS (
    SELECT order_id, member_id, sum(amount)::bigint AS amount FROM known GROUP BY order_id, member_id
)
UPDATE groupbuy.refund r
SET back = r.back + s.amount,
    state = CASE WHEN r.state IN ('asked', 'failed') AND r.back + s.amount >= r.amount THEN 'refunded' ELSE r.state END,
    revision = r.revision + 1, changed_at = core.now()
FROM sums s
WHERE r.tenant_id = :tenant AND r.order_id = s.order_id AND r.member_id = s.member_id
RETURNING r.id, r.state
