-- What is not asked for yet comes to another amount.
UPDATE groupbuy.refund r
SET amount = g.amount, state = CASE WHEN g.amount = 0 THEN 'refunded' ELSE r.state END
FROM unnest(:reservations::text[], :amounts::bigint[]) AS g (reservation, amount)
WHERE r.tenant_id = :tenant AND r.reservation = g.reservation AND r.times = 0 AND r.state = 'asked'
