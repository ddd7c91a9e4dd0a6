-- What the shop paid back of claims.
UPDATE blindbox.claim c
SET back = c.back + g.amount, state = CASE WHEN c.back + g.amount >= c.amount THEN 'done' ELSE c.state END
FROM unnest(:ids::bigint[], :amounts::bigint[]) AS g (id, amount)
WHERE c.tenant_id = :tenant AND c.id = g.id AND c.state <> 'done'
