SELECT p.member_id, p.series_id, p.day, p.boxes, p.money FROM blindbox.spending p
JOIN unnest(:members::bigint[], :series::bigint[], :days::date[]) AS g (member_id, series_id, day)
  ON p.member_id = g.member_id AND p.series_id = g.series_id AND p.day = g.day
WHERE p.tenant_id = :tenant
ORDER BY p.member_id, p.series_id, p.day FOR NO KEY UPDATE OF p
