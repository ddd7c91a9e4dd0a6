INSERT INTO blindbox.box (tenant_id, member_id, series_id, source, order_id, ordinal, money, day, pool, nonce, paid_at)
VALUES (:tenant, :member::bigint, :series::bigint, 'chance', :order::text, 1, 0, :day::date, :version::text,
        :nonce::text, core.now())
RETURNING id, member_id, series_id, order_id, ordinal, pool, nonce, source
