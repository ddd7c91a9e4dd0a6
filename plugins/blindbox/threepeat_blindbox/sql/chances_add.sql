INSERT INTO blindbox.chance (tenant_id, member_id, series_id, grant_key, number, valid_until, given_at)
SELECT :tenant, g.member_id, g.series_id, g.key, n, :until::timestamptz, core.now()
FROM unnest(:keys::text[], :members::bigint[], :series::bigint[], :amounts::bigint[])
     AS g (key, member_id, series_id, amount)
CROSS JOIN LATERAL generate_series(1, g.amount) AS n
ORDER BY g.key, n
