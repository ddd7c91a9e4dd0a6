-- Which refunds are new. The refund's key decides.
INSERT INTO checkout.refund (tenant_id, refund_id, member_id, order_id, reservation_id, amount, units, occurred_at)
SELECT :tenant, refund_id, member_id, order_id, reservation_id, amount, units::jsonb, occurred_at
FROM unnest(:refunds::text[], :members::bigint[], :orders::text[], :reservations::text[], :amounts::bigint[],
            :units::text[], :times::timestamptz[])
     AS g (refund_id, member_id, order_id, reservation_id, amount, units, occurred_at)
ORDER BY refund_id
ON CONFLICT (tenant_id, refund_id) DO NOTHING
RETURNING refund_id
