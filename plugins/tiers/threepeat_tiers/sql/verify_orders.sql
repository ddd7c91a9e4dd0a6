-- Orders of which more or less is left than their refunds leave.
SELECT o.order_id, o.refunded, o.growth, sum(r.amount) AS amount FROM tiers.paid_order o
LEFT JOIN tiers.refund r ON r.tenant_id = :tenant AND r.order_id = o.order_id
WHERE o.tenant_id = :tenant AND o.member_id > 0
GROUP BY o.order_id, o.refunded, o.growth, o.total, o.per_unit, o.per_order, o.minor_units
HAVING o.refunded <> least(coalesce(sum(r.amount), 0), o.total)
    OR o.growth <> CASE WHEN o.total > o.refunded
                        THEN least((o.total - o.refunded) * o.per_unit / o.minor_units, 1000000000000) + o.per_order
                        ELSE 0 END
