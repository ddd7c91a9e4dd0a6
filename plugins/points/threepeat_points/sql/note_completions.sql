-- Orders whose payment has not been reported yet; the first report of a member's order stands.
INSERT INTO points.completion (tenant_id, order_id, member_id, completed_at)
SELECT :tenant, g.* FROM unnest(:orders::text[], :members::bigint[], :times::timestamptz[])
    AS g (order_id, member_id, completed_at)
WHERE NOT EXISTS (SELECT FROM points.lot l WHERE l.tenant_id = :tenant AND l.order_id = g.order_id)
ORDER BY g.order_id, g.member_id
ON CONFLICT DO NOTHING
