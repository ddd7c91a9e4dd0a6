-- Which of these payments have been made, by these members: out of lots that are theirs now.
SELECT g.reference FROM unnest(:members::bigint[], :references::text[], :amounts::bigint[])
    AS g (member_id, reference, points)
JOIN points.entry e ON e.tenant_id = :tenant AND e.reference = g.reference AND e.points = -g.points
WHERE EXISTS (
    SELECT FROM points.allocation a JOIN points.lot l
      ON l.tenant_id = a.tenant_id AND l.member_id = g.member_id AND l.id = a.lot_id
    WHERE a.tenant_id = :tenant AND a.entry_id = e.id)
