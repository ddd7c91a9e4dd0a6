-- Receipts that do not hold the one before them, or say something else than their row; and series with another end.
SELECT d.series_id, d.draw_no FROM (
    SELECT d.*, d.body::jsonb AS said, lag(d.hash, 1, '') OVER (PARTITION BY d.series_id ORDER BY d.draw_no) AS before
    FROM blindbox.draw d WHERE d.tenant_id = :tenant) AS d
WHERE d.previous <> d.before OR d.said ->> 'previous' IS DISTINCT FROM d.before
   OR d.hash <> encode(sha256(convert_to(d.body, 'UTF8')), 'hex')
   OR d.said ->> 'item' IS DISTINCT FROM d.item OR (d.said ->> 'draw')::bigint IS DISTINCT FROM d.draw_no
   OR d.said ->> 'order' IS DISTINCT FROM d.order_hash OR d.said ->> 'buyer' IS DISTINCT FROM d.buyer
   OR d.said -> 'pity' IS DISTINCT FROM jsonb_build_array(d.misses_before, d.misses_after)
UNION ALL
SELECT s.id, s.draws FROM blindbox.series s
WHERE s.tenant_id = :tenant AND s.head IS DISTINCT FROM coalesce((
    SELECT d.hash FROM blindbox.draw d
    WHERE d.tenant_id = :tenant AND d.series_id = s.id AND d.draw_no = s.draws), '')
UNION ALL
SELECT v.series_id, v.number FROM blindbox.version v
WHERE v.tenant_id = :tenant AND v.hash <> encode(sha256(convert_to(v.body, 'UTF8')), 'hex')
