-- Which refunds are new. The refund's key decides.
INSERT INTO points.refund (tenant_id, refund_id, order_id, member_id, amount)
SELECT :tenant, g.* FROM unnest(:refunds::text[], :orders::text[], :members::bigint[], :amounts::bigint[])
    AS g (refund_id, order_id, member_id, amount)
ON CONFLICT DO NOTHING
RETURNING refund_id
