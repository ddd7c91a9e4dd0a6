SELECT b.id, b.series_id, b.order_id, b.state, b.returned, b.nonce, b.paid_at, b.opened_at, s.name, s.pool AS version,
       d.item, d.hidden, d.draw_no, d.body, d.signature, d.misses_before, d.misses_after, i.item_name, i.guide
FROM blindbox.box b
JOIN blindbox.series s ON s.tenant_id = :tenant AND s.id = b.series_id
LEFT JOIN blindbox.draw d ON d.tenant_id = :tenant AND d.series_id = b.series_id AND d.draw_no = b.draw_no
LEFT JOIN LATERAL (
    SELECT one ->> 'name' AS item_name, one ->> 'guide' AS guide
    FROM jsonb_array_elements(s.form -> 'items') AS one WHERE one ->> 'sku' = d.item
) i ON true
WHERE b.tenant_id = :tenant AND b.member_id = :member::bigint AND b.id < :before::bigint
ORDER BY b.id DESC LIMIT :most::bigint
