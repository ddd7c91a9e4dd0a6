-- Which of these orders have a lot.
SELECT order_id FROM points.lot WHERE tenant_id = :tenant AND order_id = ANY(:orders::text[])
