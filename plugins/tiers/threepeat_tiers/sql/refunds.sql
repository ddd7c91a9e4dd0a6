-- Refunds that are new; one without an order takes off on its own day what its money would have brought.
WITH fresh AS (
    INSERT INTO tiers.refund (tenant_id, refund_id, order_id, member_id, amount, refunded_on, taken, skus)
    SELECT :tenant, g.refund_id, g.order_id, g.member_id, g.amount, g.refunded_on,
           CASE WHEN g.order_id IS NULL THEN least(g.amount * g.rate / :minor_units::bigint, 1000000000000) ELSE 0 END,
           ARRAY(SELECT jsonb_array_elements_text(g.skus::jsonb))
    FROM unnest(:refunds::text[], :orders::text[], :members::bigint[], :amounts::bigint[], :days::date[],
                :rates::bigint[], :skus::text[]) AS g (refund_id, order_id, member_id, amount, refunded_on, rate, skus)
    ORDER BY g.refund_id
    ON CONFLICT DO NOTHING
    RETURNING member_id, refunded_on, taken
)
INSERT INTO tiers.day_growth AS d (tenant_id, member_id, day, value)
SELECT :tenant, member_id, refunded_on, -sum(taken)::bigint FROM fresh
GROUP BY member_id, refunded_on HAVING sum(taken) <> 0 ORDER BY 2, 3
ON CONFLICT (tenant_id, member_id, day) DO UPDATE SET value = d.value + excluded.value
