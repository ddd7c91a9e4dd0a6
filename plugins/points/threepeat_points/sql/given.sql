-- What lots gave to payments and have not had back, the lot that expires last first.
WITH paid AS (
    SELECT id, reference FROM points.entry
    WHERE tenant_id = :tenant AND reference = ANY(:payments::text[]) AND kind = 'spent'
), lines AS (
    SELECT id AS entry_id, id AS payment_id, reference FROM paid
    UNION ALL
    SELECT e.id, p.id, p.reference FROM paid p JOIN points.entry e ON e.tenant_id = :tenant AND e.payment_id = p.id
), left_over AS (
    SELECT n.payment_id, n.reference, a.lot_id, sum(a.points)::bigint AS points
    FROM lines n JOIN points.allocation a ON a.tenant_id = :tenant AND a.entry_id = n.entry_id
    GROUP BY 1, 2, 3
)
SELECT o.reference AS payment, o.payment_id, o.lot_id, l.member_id, l.expires_at, o.points
FROM left_over o
JOIN points.lot l ON l.tenant_id = :tenant AND l.member_id = ANY(:members::bigint[]) AND l.id = o.lot_id
WHERE o.points > 0
ORDER BY o.payment_id, l.expires_at DESC NULLS FIRST, l.earned_at DESC, l.id DESC
