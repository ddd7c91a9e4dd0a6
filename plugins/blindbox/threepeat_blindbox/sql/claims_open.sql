SELECT id, order_id, sum(amount) OVER (PARTITION BY order_id) AS owed FROM blindbox.claim
WHERE tenant_id = :tenant AND order_id = ANY(:orders::text[]) AND state <> 'done'
