-- Seats whose order was paid with another amount than was quoted, and their groups.
SELECT s.reservation, s.team_id, g.total
FROM unnest(:orders::text[], :members::bigint[], :totals::bigint[]) AS g (order_id, member_id, total)
JOIN groupbuy.seat s ON s.tenant_id = :tenant AND s.order_id = g.order_id AND s.member_id = g.member_id
WHERE s.total <> g.total
