WITH given AS (
    SELECT g.*, coalesce(g.given, n.nonce) AS nonce
    FROM unnest(:members::bigint[], :series::bigint[], :orders::text[], :ordinals::bigint[], :money::bigint[],
                :totals::bigint[], :days::date[], :pools::text[], :nonces::text[], :times::timestamptz[]) WITH ORDINALITY
         AS g (member_id, series_id, order_id, ordinal, money, total, day, pool, given, paid_at, place)
    LEFT JOIN blindbox.nonce n ON n.tenant_id = :tenant AND n.member_id = g.member_id AND n.order_id = g.order_id
)
INSERT INTO blindbox.box (tenant_id, member_id, series_id, order_id, ordinal, money, total, day, pool, nonce, paid_at)
SELECT :tenant, member_id, series_id, order_id, ordinal, money, total, day, pool, nonce, paid_at FROM given ORDER BY place
ON CONFLICT (tenant_id, series_id, order_id, ordinal) DO NOTHING
RETURNING id, member_id, series_id, order_id, ordinal, pool, nonce, source
