-- When these orders were completed, as far as it was reported before their payment.
SELECT order_id, completed_at FROM points.completion
WHERE tenant_id = :tenant AND order_id = ANY(:orders::text[])
