-- What is left of these orders after all their refunds, and the difference off the days of their payments.
WITH locked AS (
    SELECT order_id, growth FROM tiers.paid_order
    WHERE tenant_id = :tenant AND order_id = ANY(:orders::text[]) ORDER BY order_id FOR UPDATE
), sums AS (
    SELECT order_id, sum(amount) AS amount FROM tiers.refund
    WHERE tenant_id = :tenant AND order_id = ANY(:orders::text[]) GROUP BY order_id
), reduced AS (
    UPDATE tiers.paid_order o SET
        refunded = least(s.amount, o.total)::bigint,
        growth = CASE WHEN o.total > s.amount
                      THEN least((o.total - s.amount::bigint) * o.per_unit / o.minor_units, 1000000000000) + o.per_order
                      ELSE 0 END
    FROM locked l JOIN sums s USING (order_id)
    WHERE o.tenant_id = :tenant AND o.order_id = l.order_id
    RETURNING o.member_id, o.paid_on, o.growth - l.growth AS value
)
INSERT INTO tiers.day_growth AS d (tenant_id, member_id, day, value)
SELECT :tenant, member_id, paid_on, sum(value)::bigint FROM reduced
GROUP BY member_id, paid_on HAVING sum(value) <> 0 ORDER BY 2, 3
ON CONFLICT (tenant_id, member_id, day) DO UPDATE SET value = d.value + excluded.value
