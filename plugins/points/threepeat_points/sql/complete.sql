-- Lots that waited for these orders' completion know until when they wait. An order is completed once.
UPDATE points.lot l SET unlocks_at = g.unlocks_at
FROM unnest(:orders::text[], :members::bigint[], :unlocks::timestamptz[]) AS g (order_id, member_id, unlocks_at)
WHERE l.tenant_id = :tenant AND l.member_id = g.member_id AND l.order_id = g.order_id
  AND l.waiting AND l.unlocks_at IS NULL
RETURNING l.member_id, l.unlocks_at
