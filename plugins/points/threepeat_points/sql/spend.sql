-- Payments, taken from open lots, the earliest to expire first. The reference decides which payments are new.
-- Lined up one after the other, lots and payments of a member overlap where a lot gives to a payment.
WITH fresh AS (
    INSERT INTO points.entry (tenant_id, member_id, reference, kind, points, occurred_at, available, liability)
    SELECT :tenant, member_id, reference, 'spent', -points, core.now(), -points, points
    FROM unnest(:members::bigint[], :references::text[], :amounts::bigint[]) AS g (member_id, reference, points)
    ORDER BY reference
    ON CONFLICT (tenant_id, reference) DO NOTHING
    RETURNING id, member_id, -points AS points
), payments AS (
    SELECT id, member_id, points, sum(points) OVER (PARTITION BY member_id ORDER BY id) AS ends FROM fresh
), lots AS (
    -- Member by member (OFFSET 0 keeps it so): a plan from before there were many would read the whole store's.
    SELECT l.id, payers.member_id, l.remaining,
           sum(l.remaining) OVER (
               PARTITION BY payers.member_id ORDER BY l.expires_at NULLS LAST, l.earned_at, l.id
           ) AS ends
    FROM (SELECT DISTINCT member_id FROM fresh) AS payers CROSS JOIN LATERAL (
        SELECT id, remaining, expires_at, earned_at FROM points.lot
        WHERE tenant_id = :tenant AND member_id = payers.member_id
          AND remaining > 0 AND (expires_at IS NULL OR expires_at > core.now()) AND NOT waiting
        OFFSET 0
    ) AS l
), parts AS (
    SELECT p.id AS entry_id, l.id AS lot_id, l.member_id,
           (least(l.ends, p.ends) - greatest(l.ends - l.remaining, p.ends - p.points))::bigint AS points
    FROM lots l JOIN payments p
      ON p.member_id = l.member_id AND l.ends - l.remaining < p.ends AND p.ends - p.points < l.ends
), allocations AS (
    INSERT INTO points.allocation (tenant_id, entry_id, lot_id, points)
    SELECT :tenant, entry_id, lot_id, points FROM parts
), drawn AS (
    UPDATE points.lot l SET remaining = l.remaining - d.points
    FROM (SELECT member_id, lot_id, sum(points)::bigint AS points FROM parts GROUP BY member_id, lot_id) AS d
    WHERE l.tenant_id = :tenant AND l.member_id = d.member_id AND l.id = d.lot_id AND l.remaining >= d.points
    RETURNING l.member_id, d.points
)
SELECT p.member_id, count(*) AS payments, sum(p.points)::bigint AS points,
       coalesce((SELECT sum(remaining) FROM lots l WHERE l.member_id = p.member_id), 0)::bigint AS available,
       coalesce((SELECT sum(d.points) FROM drawn d WHERE d.member_id = p.member_id), 0)::bigint AS drawn
FROM payments p GROUP BY p.member_id ORDER BY p.member_id
