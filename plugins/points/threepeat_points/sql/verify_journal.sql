-- Members whose lots and debt differ from their accounts in the journal: what can be spent, what waits, what is
-- owed, what was written off.
SELECT member_id, l.open, e.available, l.waits, e.pending, a.debt, e.debt AS owed, l.expired, e.breakage FROM
    (SELECT member_id, sum(remaining) FILTER (WHERE NOT waiting) AS open, sum(remaining) FILTER (WHERE waiting) AS waits,
            sum(expired) AS expired
     FROM points.lot WHERE tenant_id = :tenant GROUP BY member_id) l
    FULL JOIN (SELECT member_id, debt FROM points.account WHERE tenant_id = :tenant) a USING (member_id)
    FULL JOIN (SELECT member_id, sum(available) AS available, sum(pending) AS pending, sum(debt) AS debt,
                      sum(breakage) AS breakage
               FROM points.entry WHERE tenant_id = :tenant GROUP BY member_id) e USING (member_id)
WHERE coalesce(l.open, 0) <> coalesce(e.available, 0) OR coalesce(l.waits, 0) <> coalesce(e.pending, 0)
   OR coalesce(a.debt, 0) <> -coalesce(e.debt, 0) OR coalesce(l.expired, 0) <> coalesce(e.breakage, 0)
