-- Fresh points pay a debt first: the lots give, the accounts owe less.
WITH lots AS (
    UPDATE points.lot l SET remaining = l.remaining - g.paid
    FROM unnest(:lot_members::bigint[], :lots::bigint[], :paid::bigint[]) AS g (member_id, id, paid)
    WHERE l.tenant_id = :tenant AND l.member_id = g.member_id AND l.id = g.id
)
UPDATE points.account a SET debt = g.debt
FROM unnest(:members::bigint[], :debts::bigint[]) AS g (member_id, debt)
WHERE a.tenant_id = :tenant AND a.member_id = g.member_id
