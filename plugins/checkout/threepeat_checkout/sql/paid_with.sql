SELECT order_id, quote_id FROM checkout.payment
WHERE tenant_id = :tenant AND order_id = ANY(:orders::text[]) AND outcome = 'confirmed'
