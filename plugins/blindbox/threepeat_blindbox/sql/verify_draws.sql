-- Series whose draws are not numbered from 1 without a gap, and draws from another pool than the one on sale then.
SELECT s.id, 0 AS draw_no FROM blindbox.series s
CROSS JOIN LATERAL (SELECT count(*) AS n, coalesce(max(draw_no), 0) AS last, coalesce(min(draw_no), 1) AS first
                    FROM blindbox.draw d WHERE d.tenant_id = :tenant AND d.series_id = s.id) AS d
WHERE s.tenant_id = :tenant AND (d.n <> s.draws OR d.last <> s.draws OR d.first <> 1)
UNION ALL
SELECT d.series_id, d.draw_no FROM blindbox.draw d
WHERE d.tenant_id = :tenant AND d.version <> coalesce((
    SELECT max(v.number) FROM blindbox.version v
    WHERE v.tenant_id = :tenant AND v.series_id = d.series_id AND (v.body::jsonb ->> 'after')::bigint < d.draw_no), 0)
