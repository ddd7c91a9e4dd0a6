-- Write a batch of reversals: lots, debts and the journal.
WITH lots AS (
    UPDATE points.lot l
    SET remaining = g.remaining, reversed = g.reversed, order_refunded = g.order_refunded
    FROM unnest(:lot_members::bigint[], :lots::bigint[], :remaining::bigint[], :reversed::bigint[],
                :order_refunded::bigint[]) AS g (member_id, id, remaining, reversed, order_refunded)
    WHERE l.tenant_id = :tenant AND l.member_id = g.member_id AND l.id = g.id
), journal AS (
    INSERT INTO points.entry (tenant_id, member_id, reference, kind, points, occurred_at)
    SELECT :tenant, g.member_id, g.reference, :kind::text, -g.points, g.occurred_at
    FROM unnest(:entry_members::bigint[], :entry_references::text[], :entry_points::bigint[],
                :entry_times::timestamptz[]) AS g (member_id, reference, points, occurred_at)
)
UPDATE points.account a SET debt = g.debt
FROM unnest(:members::bigint[], :debts::bigint[]) AS g (member_id, debt)
WHERE a.tenant_id = :tenant AND a.member_id = g.member_id AND a.debt <> g.debt
