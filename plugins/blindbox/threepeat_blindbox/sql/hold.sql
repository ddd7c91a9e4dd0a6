-- Boxes for an order; what was released can be held anew, what is held or paid stays as it is.
INSERT INTO blindbox.hold AS h (tenant_id, reservation, series_id, member_id, boxes, money, day, pool, nonce)
VALUES (:tenant, :reservation::text, :series::bigint, :member::bigint, :boxes::bigint, :money::bigint, :day::date,
        :pool::text, :nonce::text)
ON CONFLICT (tenant_id, reservation, series_id) DO UPDATE SET
    state = 'held', day = excluded.day, boxes = excluded.boxes, money = excluded.money, pool = excluded.pool,
    nonce = excluded.nonce, order_id = NULL
WHERE h.state = 'released' AND h.member_id = excluded.member_id
RETURNING h.series_id
