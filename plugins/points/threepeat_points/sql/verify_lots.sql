-- Lots that hold, have lost and gave more than they had, and lots that gave and are not there.
SELECT id, l.granted, l.remaining, l.expired, a.points AS allocated FROM
    (SELECT lot_id AS id, sum(points) AS points FROM points.allocation WHERE tenant_id = :tenant GROUP BY lot_id) a
    FULL JOIN (SELECT id, granted, remaining, expired FROM points.lot WHERE tenant_id = :tenant) l USING (id)
WHERE l.id IS NULL OR l.remaining + l.expired + coalesce(a.points, 0) > l.granted
