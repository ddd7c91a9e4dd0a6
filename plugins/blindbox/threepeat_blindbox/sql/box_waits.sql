SELECT 1 FROM blindbox.box
WHERE tenant_id = :tenant AND series_id = :series::bigint AND order_id = :order::text AND state = 'waiting' LIMIT 1
