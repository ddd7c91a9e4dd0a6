-- The age in days at which half of the points that were spent in a period had been spent, for the period and the
-- one before it. A lot is found by its id alone: it may have become another member's since.
WITH drawn AS (
    SELECT e.occurred_at >= :since::timestamptz AS current, sum(a.points)::bigint AS points,
           round(extract(epoch FROM e.occurred_at - l.earned_at) / 86400)::bigint AS days
    FROM points.entry e
    JOIN points.allocation a ON a.tenant_id = e.tenant_id AND a.entry_id = e.id
    JOIN points.lot l ON l.tenant_id = a.tenant_id AND l.id = a.lot_id
    WHERE e.tenant_id = :tenant AND e.kind = 'spent'
      AND e.occurred_at >= :before::timestamptz AND e.occurred_at < :until::timestamptz
    GROUP BY 1, 3
), ranked AS (
    SELECT current, days, sum(points) OVER (PARTITION BY current ORDER BY days) AS reached,
           sum(points) OVER (PARTITION BY current) AS total
    FROM drawn
)
SELECT current, min(days) AS days FROM ranked WHERE 2 * reached >= total GROUP BY current
