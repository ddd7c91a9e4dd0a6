-- Series that count other places than orders hold and boxes wait for, or hold more than there is.
SELECT s.id, s.held FROM blindbox.series s
CROSS JOIN LATERAL (
    SELECT (SELECT coalesce(sum(h.boxes), 0) FROM blindbox.hold h
            WHERE h.tenant_id = :tenant AND h.series_id = s.id AND h.state IN ('held', 'paid'))
         + (SELECT count(*) FROM blindbox.box b
            WHERE b.tenant_id = :tenant AND b.series_id = s.id AND b.state = 'waiting') AS held,
           (SELECT sum(k.put - k.taken) FROM blindbox.stock k
            WHERE k.tenant_id = :tenant AND k.series_id = s.id) AS left_over,
           EXISTS (SELECT FROM blindbox.stock k
                   WHERE k.tenant_id = :tenant AND k.series_id = s.id AND k.put IS NULL) AS endless
) AS t
WHERE s.tenant_id = :tenant
  AND (s.held <> t.held OR (s.state <> 'draft' AND s.room > 0 AND s.room IS DISTINCT FROM t.left_over)
       OR (s.state <> 'draft' AND s.room IS NULL AND NOT t.endless)
       OR (s.state <> 'draft' AND NOT t.endless AND s.held > t.left_over))
