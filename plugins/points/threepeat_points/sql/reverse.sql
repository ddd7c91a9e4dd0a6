-- Write a batch of reversals: the lots and debts that they changed, and the journal.
WITH lots AS (
    UPDATE points.lot l
    SET remaining = g.remaining, expired = g.expired, waiting = g.waiting, reversed = g.reversed,
        order_refunded = g.order_refunded
    FROM unnest(:lot_members::bigint[], :lots::bigint[], :remaining::bigint[], :expired::bigint[],
                :waiting::boolean[], :reversed::bigint[], :order_refunded::bigint[])
        AS g (member_id, id, remaining, expired, waiting, reversed, order_refunded)
    WHERE l.tenant_id = :tenant AND l.member_id = g.member_id AND l.id = g.id
      AND (l.remaining, l.expired, l.waiting, l.reversed, l.order_refunded)
          IS DISTINCT FROM (g.remaining, g.expired, g.waiting, g.reversed, g.order_refunded)
), journal AS (
    INSERT INTO points.entry (tenant_id, member_id, kind, reference, points, occurred_at, available, pending, debt,
                              liability, expense, breakage)
    SELECT :tenant, g.member_id, g.kind, g.reference, g.available + g.pending + g.debt, g.occurred_at, g.available,
           g.pending, g.debt, g.liability, g.expense, g.breakage
    FROM unnest(:entry_members::bigint[], :entry_kinds::text[], :entry_references::text[],
                :entry_times::timestamptz[], :available::bigint[], :pending::bigint[], :debt::bigint[],
                :liability::bigint[], :expense::bigint[], :breakage::bigint[])
        AS g (member_id, kind, reference, occurred_at, available, pending, debt, liability, expense, breakage)
)
UPDATE points.account a SET debt = g.debt
FROM unnest(:members::bigint[], :debts::bigint[]) AS g (member_id, debt)
WHERE a.tenant_id = :tenant AND a.member_id = g.member_id AND a.debt <> g.debt
