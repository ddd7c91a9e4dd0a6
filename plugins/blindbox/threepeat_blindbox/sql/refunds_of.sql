SELECT order_id, amount, units FROM blindbox.refund WHERE tenant_id = :tenant AND order_id = ANY(:orders::text[])
