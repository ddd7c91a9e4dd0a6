SELECT b.id FROM blindbox.box b
JOIN unnest(:series::bigint[], :orders::text[]) AS g (series_id, order_id)
  ON b.series_id = g.series_id AND b.order_id = g.order_id
WHERE b.tenant_id = :tenant AND b.state = 'waiting'
