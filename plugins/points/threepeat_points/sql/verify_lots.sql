-- Lots that gave more than they had, or gave and are not there.
SELECT a.lot_id, l.granted, l.remaining, a.points AS allocated FROM
    (SELECT lot_id, sum(points) AS points FROM points.allocation WHERE tenant_id = :tenant GROUP BY lot_id) a
    LEFT JOIN (SELECT id, granted, remaining FROM points.lot WHERE tenant_id = :tenant) l ON l.id = a.lot_id
WHERE l.id IS NULL OR l.remaining + a.points > l.granted
