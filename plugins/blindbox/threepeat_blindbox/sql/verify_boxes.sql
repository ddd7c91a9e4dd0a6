-- Opened boxes without their draw, draws with none or several boxes, and draws for the same order's same box.
SELECT b.series_id, b.draw_no FROM blindbox.box b
LEFT JOIN blindbox.draw d ON d.tenant_id = :tenant AND d.series_id = b.series_id AND d.draw_no = b.draw_no
WHERE b.tenant_id = :tenant AND b.state = 'opened' AND (d.draw_no IS NULL OR d.ordinal <> b.ordinal)
UNION ALL
SELECT d.series_id, d.draw_no FROM blindbox.draw d
LEFT JOIN blindbox.box b ON b.tenant_id = :tenant AND b.series_id = d.series_id AND b.draw_no = d.draw_no
WHERE d.tenant_id = :tenant GROUP BY d.series_id, d.draw_no HAVING count(b.id) <> 1
UNION ALL
SELECT b.series_id, b.draw_no FROM blindbox.box b
JOIN blindbox.draw d ON d.tenant_id = :tenant AND d.series_id = b.series_id AND d.draw_no = b.draw_no
WHERE b.tenant_id = :tenant AND b.state = 'opened' AND b.member_id > 0
  AND d.order_hash <> encode(sha256(convert_to(b.nonce || '|' || b.order_id, 'UTF8')), 'hex')
