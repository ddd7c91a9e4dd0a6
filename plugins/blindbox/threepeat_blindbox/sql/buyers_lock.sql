SELECT b.member_id, b.series_id, b.tag, b.salt, b.misses FROM blindbox.buyer b
JOIN unnest(:members::bigint[], :series::bigint[]) AS g (member_id, series_id)
  ON b.member_id = g.member_id AND b.series_id = g.series_id
WHERE b.tenant_id = :tenant
ORDER BY b.member_id, b.series_id FOR NO KEY UPDATE OF b
