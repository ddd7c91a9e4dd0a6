-- Write what came back of payments: the journal, which lots had it back, the lots and the debts.
WITH lines AS (
    INSERT INTO points.entry (tenant_id, member_id, kind, reference, points, occurred_at, available, pending, debt,
                              liability, expense, breakage, payment_id)
    SELECT :tenant, g.member_id, g.kind, g.reference, g.available + g.pending + g.debt, g.occurred_at, g.available,
           g.pending, g.debt, g.liability, g.expense, g.breakage, g.payment_id
    FROM unnest(:entry_members::bigint[], :entry_kinds::text[], :entry_references::text[],
                :entry_times::timestamptz[], :available::bigint[], :pending::bigint[], :debt::bigint[],
                :liability::bigint[], :expense::bigint[], :breakage::bigint[], :payments::bigint[])
        AS g (member_id, kind, reference, occurred_at, available, pending, debt, liability, expense, breakage,
              payment_id)
    RETURNING id, reference
), allocations AS (
    INSERT INTO points.allocation (tenant_id, entry_id, lot_id, points)
    SELECT :tenant, l.id, g.lot_id, g.points
    FROM unnest(:allocated_references::text[], :allocated_lots::bigint[], :allocated::bigint[])
        AS g (reference, lot_id, points) JOIN lines l USING (reference)
), lots AS (
    UPDATE points.lot l
    SET remaining = l.remaining + g.kept, expired = l.expired + g.written_off,
        expires_at = coalesce(g.expires_at, l.expires_at)
    FROM unnest(:lot_members::bigint[], :lots::bigint[], :kept::bigint[], :written_off::bigint[],
                :expiries::timestamptz[]) AS g (member_id, id, kept, written_off, expires_at)
    WHERE l.tenant_id = :tenant AND l.member_id = g.member_id AND l.id = g.id
)
UPDATE points.account a SET debt = g.debt
FROM unnest(:members::bigint[], :debts::bigint[]) AS g (member_id, debt)
WHERE a.tenant_id = :tenant AND a.member_id = g.member_id
