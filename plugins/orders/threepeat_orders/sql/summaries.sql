SELECT member_id, orders, paid - refunded AS spend, first_order_at, last_order_at FROM orders.buyer
WHERE tenant_id = :tenant AND member_id = ANY(:members::bigint[])
