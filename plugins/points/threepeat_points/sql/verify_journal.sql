-- Members whose lots minus debt differ from their journal.
SELECT member_id, l.remaining, a.debt, e.points FROM
    (SELECT member_id, sum(remaining) AS remaining FROM points.lot WHERE tenant_id = :tenant GROUP BY member_id) l
    FULL JOIN (SELECT member_id, debt FROM points.account WHERE tenant_id = :tenant) a USING (member_id)
    FULL JOIN (SELECT member_id, sum(points) AS points FROM points.entry WHERE tenant_id = :tenant
               GROUP BY member_id) e USING (member_id)
WHERE coalesce(l.remaining, 0) - coalesce(a.debt, 0) <> coalesce(e.points, 0)
