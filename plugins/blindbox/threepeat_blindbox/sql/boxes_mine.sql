SELECT b.id, b.series_id, b.source, b.order_id, b.ordinal, b.money, b.state, b.returned, b.nonce, b.derived, b.paid_at,
       b.opened_at, s.name, s.pool AS version, s.form, d.item, d.hidden, d.draw_no, d.body, d.signature,
       d.misses_before, d.misses_after
FROM blindbox.box b
JOIN blindbox.series s ON s.tenant_id = :tenant AND s.id = b.series_id
LEFT JOIN blindbox.draw d ON d.tenant_id = :tenant AND d.series_id = b.series_id AND d.draw_no = b.draw_no
WHERE b.tenant_id = :tenant AND b.member_id = :member::bigint AND b.id < :before::bigint
ORDER BY b.id DESC LIMIT :most::bigint
