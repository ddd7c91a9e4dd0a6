-- Of each gift for these orders, what refunds in time ask for beyond what was taken already.
WITH sums AS (
    SELECT t.id, t.amount, div(t.amount * least(sum(r.amount), t.order_total), t.order_total)::bigint AS due
    FROM welcome.gift t JOIN welcome.refund r USING (tenant_id, order_id, member_id)
    WHERE t.tenant_id = :tenant AND t.order_id = ANY(:orders::text[]) AND t.state = 'given'
      AND r.refunded_at <= t.paid_at + :days::bigint * interval '1 day'
    GROUP BY t.id, t.amount, t.order_total
), before AS (
    SELECT id, taken FROM welcome.gift
    WHERE tenant_id = :tenant AND id IN (SELECT id FROM sums) ORDER BY id FOR UPDATE
)
UPDATE welcome.gift t SET taken = s.due FROM sums s JOIN before b USING (id)
WHERE t.tenant_id = :tenant AND t.id = s.id AND s.due > b.taken
RETURNING t.kind, t.reward_key, s.due - b.taken AS amount
