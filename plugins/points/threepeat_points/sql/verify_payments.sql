-- Payments, and what came back of them, that their lots do not add up to; parts of no payment.
SELECT entry_id, e.points, a.points AS allocated FROM
    (SELECT id AS entry_id, liability AS points FROM points.entry
     WHERE tenant_id = :tenant AND kind IN ('spent', 'returned')) e
    FULL JOIN (SELECT entry_id, sum(points) AS points FROM points.allocation WHERE tenant_id = :tenant
               GROUP BY entry_id) a USING (entry_id)
WHERE coalesce(a.points, 0) <> coalesce(e.points, 0)
