SELECT s.daily_boxes, s.daily_money, coalesce(p.boxes, 0) AS boxes FROM blindbox.series s
LEFT JOIN blindbox.spending p ON p.tenant_id = :tenant AND p.member_id = :member::bigint AND p.series_id = s.id
  AND p.day = :day::date
WHERE s.tenant_id = :tenant AND s.id = :series::bigint
