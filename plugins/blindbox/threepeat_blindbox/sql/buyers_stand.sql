UPDATE blindbox.buyer b SET misses = g.misses
FROM unnest(:members::bigint[], :series::bigint[], :misses::bigint[]) AS g (member_id, series_id, misses)
WHERE b.tenant_id = :tenant AND b.member_id = g.member_id AND b.series_id = g.series_id
