-- Buyers whose count differs from the draws since their last hit, and receipts that count from elsewhere.
SELECT b.series_id, b.tag FROM blindbox.buyer b
WHERE b.tenant_id = :tenant AND b.misses <> coalesce((
    SELECT d.misses_after FROM blindbox.draw d
    WHERE d.tenant_id = :tenant AND d.series_id = b.series_id AND d.buyer = b.tag ORDER BY d.draw_no DESC LIMIT 1), 0)
UNION ALL
SELECT d.series_id, d.buyer FROM (
    SELECT d.series_id, d.buyer, d.misses_before, d.misses_after, (v.body::jsonb ->> 'pity')::bigint AS pity,
           lag(d.misses_after, 1, 0::bigint) OVER (PARTITION BY d.series_id, d.buyer ORDER BY d.draw_no) AS before
    FROM blindbox.draw d
    JOIN blindbox.version v ON v.tenant_id = :tenant AND v.series_id = d.series_id AND v.number = d.version
    WHERE d.tenant_id = :tenant) AS d
WHERE d.misses_before <> d.before OR d.misses_after NOT IN (0, d.before + 1)
   OR (d.pity > 0 AND d.misses_after >= d.pity)
