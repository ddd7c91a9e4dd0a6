SELECT daily_boxes, daily_money FROM blindbox.series WHERE tenant_id = :tenant AND id = :series::bigint
