-- The age in days at which half of the points that were spent in a period had been spent, for the period and the
-- one before it; what came back of a payment was not spent. A lot is found by its id alone: it may have become another
-- member's since.
WITH given AS (
    SELECT p.id, a.lot_id, p.occurred_at, a.points
    FROM points.entry p
    JOIN points.allocation a ON a.tenant_id = p.tenant_id AND a.entry_id = p.id
    WHERE p.tenant_id = :tenant AND p.kind = 'spent'
      AND p.occurred_at >= :before::timestamptz AND p.occurred_at < :until::timestamptz
), back AS (
    SELECT r.payment_id AS id, a.lot_id, sum(a.points) AS points
    FROM points.entry r JOIN points.allocation a ON a.tenant_id = r.tenant_id AND a.entry_id = r.id
    WHERE r.tenant_id = :tenant AND r.kind = 'returned' AND r.occurred_at >= :before::timestamptz
    GROUP BY 1, 2
), drawn AS (
    SELECT g.occurred_at >= :since::timestamptz AS current, sum(g.points + coalesce(b.points, 0))::bigint AS points,
           round(extract(epoch FROM g.occurred_at - l.earned_at) / 86400)::bigint AS days
    FROM given g
    JOIN points.lot l ON l.tenant_id = :tenant AND l.id = g.lot_id
    LEFT JOIN back b ON b.id = g.id AND b.lot_id = g.lot_id
    WHERE g.points + coalesce(b.points, 0) > 0
    GROUP BY 1, 3
), ranked AS (
    SELECT current, days, sum(points) OVER (PARTITION BY current ORDER BY days) AS reached,
           sum(points) OVER (PARTITION BY current) AS total
    FROM drawn
)
SELECT current, min(days) AS days FROM ranked WHERE 2 * reached >= total GROUP BY current
