UPDATE blindbox.hold h SET state = 'used'
FROM unnest(:reservations::text[], :series::bigint[]) AS g (reservation, series_id)
WHERE h.tenant_id = :tenant AND h.reservation = g.reservation AND h.series_id = g.series_id AND h.state IN ('held', 'paid')
