INSERT INTO blindbox.claim (tenant_id, order_id, series_id, member_id, amount, reason, asked_at)
SELECT :tenant, g.order_id, g.series_id, g.member_id, g.amount, g.reason, core.now()
FROM unnest(:orders::text[], :series::bigint[], :members::bigint[], :amounts::bigint[], :reasons::text[])
     AS g (order_id, series_id, member_id, amount, reason)
RETURNING id, order_id, member_id, amount, reason
