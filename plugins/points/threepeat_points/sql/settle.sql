-- Lots pay debts: the lots have less, the accounts owe less, and the journal says so.
WITH given AS (
    SELECT * FROM unnest(:members::bigint[], :lots::bigint[], :paid::bigint[], :references::text[],
                         :times::timestamptz[]) AS g (member_id, lot_id, paid, reference, at)
), lots AS (
    UPDATE points.lot l SET remaining = l.remaining - g.paid FROM given g
    WHERE l.tenant_id = :tenant AND l.member_id = g.member_id AND l.id = g.lot_id
    RETURNING l.member_id, l.waiting, g.paid, g.reference, g.at
), journal AS (
    INSERT INTO points.entry (tenant_id, member_id, reference, kind, points, occurred_at, available, pending, debt)
    SELECT :tenant, member_id, reference, 'settled', 0, at,
           CASE WHEN waiting THEN 0 ELSE -paid END, CASE WHEN waiting THEN -paid ELSE 0 END, paid
    FROM lots ORDER BY reference
)
UPDATE points.account a SET debt = a.debt - g.paid
FROM (SELECT member_id, sum(paid)::bigint AS paid FROM given GROUP BY member_id) AS g
WHERE a.tenant_id = :tenant AND a.member_id = g.member_id
