-- Money that is to go back, once for each seat. Of an erased member nobody knows the order any more; of a payment that
-- came too late nobody knows yet what came back before it, so it is asked for a moment later.
INSERT INTO groupbuy.refund AS r (tenant_id, reservation, member_id, order_id, reason, amount, state, times, asked_at,
                                  changed_at)
SELECT :tenant, reservation, member_id, order_id, :reason::text, amount,
       CASE WHEN amount = 0 THEN 'refunded' WHEN member_id < 0 THEN 'failed' ELSE 'asked' END,
       CASE WHEN :reason::text = 'late' THEN 0 ELSE 1 END, core.now(), core.now()
FROM unnest(:reservations::text[], :members::bigint[], :orders::text[], :amounts::bigint[])
     AS g (reservation, member_id, order_id, amount)
ORDER BY reservation
ON CONFLICT (tenant_id, reservation) DO NOTHING
RETURNING r.id, r.reservation, r.member_id, r.order_id, r.reason, r.amount, r.state, r.times
