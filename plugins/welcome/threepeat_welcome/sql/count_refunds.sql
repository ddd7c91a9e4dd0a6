-- Which refunds are new. The refund's key decides.
INSERT INTO welcome.refund (tenant_id, refund_id, order_id, member_id, amount, refunded_at)
SELECT :tenant, g.* FROM unnest(:refunds::text[], :orders::text[], :members::bigint[], :amounts::bigint[],
                                :times::timestamptz[])
    AS g (refund_id, order_id, member_id, amount, refunded_at)
ORDER BY refund_id
ON CONFLICT DO NOTHING
