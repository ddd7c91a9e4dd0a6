UPDATE groupbuy.team t SET reached = g.price FROM unnest(:teams::bigint[], :prices::bigint[]) AS g (id, price)
WHERE t.tenant_id = :tenant AND t.id = g.id
