-- What came back of orders with boxes; each refund of an order counts once, however often it is told.
INSERT INTO blindbox.refund (tenant_id, refund_id, member_id, order_id, amount, units)
SELECT :tenant, g.refund_id, g.member_id, g.order_id, g.amount, g.units::jsonb
FROM unnest(:refunds::text[], :members::bigint[], :orders::text[], :amounts::bigint[], :units::text[])
     AS g (refund_id, member_id, order_id, amount, units)
WHERE EXISTS (SELECT FROM blindbox.box b WHERE b.tenant_id = :tenant AND b.order_id = g.order_id)
   OR EXISTS (SELECT FROM blindbox.claim c WHERE c.tenant_id = :tenant AND c.order_id = g.order_id)
ORDER BY g.order_id, g.refund_id
ON CONFLICT (tenant_id, order_id, refund_id) DO NOTHING
RETURNING order_id, refund_id
