-- Lots that got more back of a payment than they gave to it.
SELECT coalesce(e.payment_id, e.id) AS payment_id, a.lot_id, sum(a.points) AS points
FROM points.entry e JOIN points.allocation a ON a.tenant_id = e.tenant_id AND a.entry_id = e.id
WHERE e.tenant_id = :tenant GROUP BY 1, 2 HAVING sum(a.points) < 0
