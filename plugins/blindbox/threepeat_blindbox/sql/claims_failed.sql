UPDATE blindbox.claim SET state = 'failed'
WHERE tenant_id = :tenant AND order_id = ANY(:orders::text[]) AND state = 'asked'
