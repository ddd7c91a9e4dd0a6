UPDATE blindbox.spending p SET boxes = p.boxes + g.boxes, money = p.money + g.money
FROM unnest(:members::bigint[], :series::bigint[], :days::date[], :boxes::bigint[], :money::bigint[])
     AS g (member_id, series_id, day, boxes, money)
WHERE p.tenant_id = :tenant AND p.member_id = g.member_id AND p.series_id = g.series_id AND p.day = g.day
