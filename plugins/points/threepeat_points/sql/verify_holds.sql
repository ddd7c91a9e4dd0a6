-- Points held for orders of which the journal says something else: all while they are held or used, less what came
-- back with refunds, and none once they are free again.
SELECT h.reservation, h.state, h.points, h.returned, p.points AS paid
FROM points.hold h LEFT JOIN LATERAL (
    SELECT s.liability + coalesce((SELECT sum(e.liability) FROM points.entry e
                                   WHERE e.tenant_id = s.tenant_id AND e.payment_id = s.id), 0) AS points
    FROM points.entry s WHERE s.tenant_id = h.tenant_id AND s.reference = h.payment
) p ON true
WHERE h.tenant_id = :tenant
  AND coalesce(p.points, 0) <> CASE WHEN h.state = 'released' THEN 0 ELSE h.points - h.returned END
