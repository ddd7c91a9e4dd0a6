SELECT s.series_id, s.item FROM blindbox.stock s
CROSS JOIN LATERAL (SELECT count(*) AS n FROM blindbox.draw d
                    WHERE d.tenant_id = :tenant AND d.series_id = s.series_id AND d.item = s.item) AS d
WHERE s.tenant_id = :tenant AND (s.taken <> d.n OR (s.put IS NOT NULL AND d.n > s.put))
UNION ALL
SELECT d.series_id, d.item FROM blindbox.draw d
WHERE d.tenant_id = :tenant AND NOT EXISTS (
    SELECT FROM blindbox.stock s WHERE s.tenant_id = :tenant AND s.series_id = d.series_id AND s.item = d.item)
