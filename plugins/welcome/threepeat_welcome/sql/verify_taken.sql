-- Gifts of which more was taken back than the refunds of their order ask for.
SELECT t.id, t.taken, sum(r.amount) AS refunded FROM welcome.gift t
LEFT JOIN welcome.refund r USING (tenant_id, order_id, member_id)
WHERE t.tenant_id = :tenant AND t.taken > 0
GROUP BY t.id, t.taken, t.amount, t.order_total
HAVING t.taken > coalesce(div(t.amount * least(coalesce(sum(r.amount), 0), t.order_total), nullif(t.order_total, 0)), 0)
