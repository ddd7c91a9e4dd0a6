-- What was paid, and so what can go back: all of it where the whole order would have.
UPDATE groupbuy.seat s
SET amount = CASE WHEN s.amount = s.total THEN g.total ELSE least(s.amount, g.total) END, total = g.total
FROM unnest(:reservations::text[], :totals::bigint[]) AS g (reservation, total)
WHERE s.tenant_id = :tenant AND s.reservation = g.reservation
RETURNING s.reservation, s.member_id, s.order_id, s.state, s.amount, s.reduction, s.returned
