-- Rewards of which more was taken back than the refunds of their order ask for.
SELECT o.id, o.taken, sum(r.amount) AS refunded FROM winback.offer o
LEFT JOIN winback.refund r USING (tenant_id, order_id, member_id)
WHERE o.tenant_id = :tenant AND o.taken > 0
GROUP BY o.id, o.taken, o.amount, o.order_total
HAVING o.taken > coalesce(div(o.amount * least(coalesce(sum(r.amount), 0), o.order_total), nullif(o.order_total, 0)), 0)
