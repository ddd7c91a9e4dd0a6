-- A batch of paid orders. The order's key decides: a second payment of an order is none.
INSERT INTO checkin.purchase (tenant_id, order_id, member_id, day)
SELECT :tenant, order_id, member_id, day
FROM unnest(:orders::text[], :members::bigint[], :days::date[]) AS g (order_id, member_id, day)
ORDER BY order_id
ON CONFLICT DO NOTHING
