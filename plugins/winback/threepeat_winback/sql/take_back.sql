-- Of each reward for these orders, what refunds in time ask for beyond what was taken already.
WITH sums AS (
    SELECT o.id, div(o.amount * least(sum(r.amount), o.order_total), o.order_total)::bigint AS due
    FROM winback.offer o JOIN winback.refund r USING (tenant_id, order_id, member_id)
    WHERE o.tenant_id = :tenant AND o.order_id = ANY(:orders::text[]) AND o.state = 'given'
      AND r.refunded_at <= o.paid_at + :days::bigint * interval '1 day'
    GROUP BY o.id, o.amount, o.order_total
), before AS (
    SELECT id, taken FROM winback.offer
    WHERE tenant_id = :tenant AND id IN (SELECT id FROM sums) ORDER BY id FOR UPDATE
)
UPDATE winback.offer o SET taken = s.due FROM sums s JOIN before b USING (id)
WHERE o.tenant_id = :tenant AND o.id = s.id AND s.due > b.taken
RETURNING o.kind, o.reward_key, s.due - b.taken AS amount
