UPDATE blindbox.series s SET held = s.held + g.boxes
FROM unnest(:series::bigint[], :boxes::bigint[]) AS g (id, boxes)
WHERE s.tenant_id = :tenant AND s.id = g.id AND g.boxes <> 0
