-- Which orders are new, and what they bring, at most a million million each; refunds may have come before.
WITH given AS (
    SELECT * FROM unnest(:orders::text[], :members::bigint[], :days::date[], :totals::bigint[], :rates::bigint[],
                         :per_order::bigint[]) AS g (order_id, member_id, paid_on, total, per_unit, per_order)
), early AS (
    SELECT order_id, sum(amount) AS amount FROM tiers.refund
    WHERE tenant_id = :tenant AND order_id = ANY(:orders::text[]) GROUP BY order_id
), left_over AS (
    SELECT g.*, least(coalesce(e.amount, 0), g.total)::bigint AS refunded FROM given g LEFT JOIN early e USING (order_id)
)
INSERT INTO tiers.paid_order (tenant_id, order_id, member_id, paid_on, total, refunded, minor_units, per_unit,
                              per_order, growth)
SELECT :tenant, order_id, member_id, paid_on, total, refunded, :minor_units::bigint, per_unit, per_order,
       CASE WHEN total > refunded
            THEN least((total - refunded) * per_unit / :minor_units::bigint, 1000000000000) + per_order ELSE 0 END
FROM left_over ORDER BY order_id
ON CONFLICT DO NOTHING
RETURNING order_id, growth
