-- Redemptions of which the journal says something else: paid in full, and of one that was cancelled nothing is left.
SELECT r.id, r.state, r.points, p.points AS paid
FROM points.redemption r LEFT JOIN LATERAL (
    SELECT s.liability + coalesce((SELECT sum(e.liability) FROM points.entry e
                                   WHERE e.tenant_id = s.tenant_id AND e.payment_id = s.id), 0) AS points
    FROM points.entry s WHERE s.tenant_id = r.tenant_id AND s.reference = r.payment
) p ON true
WHERE r.tenant_id = :tenant
  AND coalesce(p.points, 0) <> CASE WHEN r.state = 'cancelled' THEN 0 ELSE r.points END
