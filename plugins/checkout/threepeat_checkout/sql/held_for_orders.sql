SELECT id FROM checkout.quote WHERE tenant_id = :tenant AND order_id = ANY(:orders::text[]) AND state = 'reserved'
