-- What the shop paid back of orders with seats; each refund's key counts it once, as an answer or before the question.
-- One that names other things only is no answer, and what is not asked for yet is reckoned without it.
WITH given AS (
    SELECT * FROM unnest(:refunds::text[], :members::bigint[], :orders::text[], :amounts::bigint[], :skus::text[])
         AS g (refund_id, member_id, order_id, amount, skus)
), known AS (
    INSERT INTO groupbuy.payback (tenant_id, refund_id, member_id, order_id, amount)
    SELECT :tenant, g.refund_id, g.member_id, g.order_id, g.amount FROM given g
    WHERE EXISTS (SELECT FROM groupbuy.seat s
                  WHERE s.tenant_id = :tenant AND s.order_id = g.order_id AND s.member_id = g.member_id)
    ORDER BY g.refund_id
    ON CONFLICT (tenant_id, refund_id) DO NOTHING
    RETURNING refund_id
), sums AS (
    SELECT s.reservation, sum(g.amount)::bigint AS amount
    FROM known k JOIN given g ON g.refund_id = k.refund_id
    JOIN groupbuy.seat s ON s.tenant_id = :tenant AND s.order_id = g.order_id AND s.member_id = g.member_id
    JOIN groupbuy.campaign c ON c.tenant_id = :tenant AND c.id = s.campaign_id
    WHERE g.skus = '[]' OR g.skus::jsonb @> to_jsonb(c.sku)
    GROUP BY s.reservation
)
UPDATE groupbuy.refund r
SET back = r.back + s.amount,
    state = CASE WHEN r.state IN ('asked', 'failed') AND r.back + s.amount >= r.amount THEN 'refunded' ELSE r.state END,
    revision = r.revision + 1, changed_at = core.now()
FROM sums s
WHERE r.tenant_id = :tenant AND r.reservation = s.reservation AND r.times > 0
RETURNING r.id, r.state
