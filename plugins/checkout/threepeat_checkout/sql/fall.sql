-- How much of each reduction has come back; it only grows.
UPDATE checkout.taken t SET returned = g.returned
FROM unnest(:quotes::text[], :numbers::bigint[], :returned::bigint[]) AS g (quote_id, number, returned)
WHERE t.tenant_id = :tenant AND t.quote_id = g.quote_id AND t.number = g.number AND t.returned < g.returned
RETURNING t.quote_id, t.number
