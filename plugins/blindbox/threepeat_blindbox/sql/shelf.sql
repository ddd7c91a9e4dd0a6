SELECT s.id, s.name, s.sku, s.price, s.form, s.pool, s.commitment, s.room, s.held, s.daily_boxes, s.daily_money,
       v.body, k.public_key,
       coalesce((SELECT b.misses FROM blindbox.buyer b
                 WHERE b.tenant_id = :tenant AND b.member_id = :member::bigint AND b.series_id = s.id), 0) AS misses,
       coalesce((SELECT p.boxes FROM blindbox.spending p
                 WHERE p.tenant_id = :tenant AND p.member_id = :member::bigint AND p.series_id = s.id
                   AND p.day = :day::date), 0) AS today,
       (SELECT jsonb_object_agg(t.item, t.put - t.taken) FROM blindbox.stock t
        WHERE t.tenant_id = :tenant AND t.series_id = s.id) AS remaining
FROM blindbox.series s
JOIN blindbox.version v ON v.tenant_id = :tenant AND v.series_id = s.id AND v.number = s.version
JOIN blindbox.signer k ON k.tenant_id = :tenant
WHERE s.tenant_id = :tenant AND s.state = 'on_sale'
ORDER BY s.id DESC LIMIT 50
