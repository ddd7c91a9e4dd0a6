UPDATE blindbox.stock s SET taken = s.taken + g.pieces
FROM (SELECT series_id, item, count(*) AS pieces FROM unnest(:series::bigint[], :items::text[]) AS u (series_id, item)
      GROUP BY series_id, item) AS g
WHERE s.tenant_id = :tenant AND s.series_id = g.series_id AND s.item = g.item
  AND (s.put IS NULL OR s.taken + g.pieces <= s.put)
RETURNING g.pieces
