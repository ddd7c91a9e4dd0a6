UPDATE blindbox.series s
SET draws = g.draws, head = g.head, version = g.version, pool = g.pool, room = g.room, held = s.held - g.opened
FROM unnest(:ids::bigint[], :draws::bigint[], :heads::text[], :versions::bigint[], :pools::text[], :rooms::bigint[],
            :opened::bigint[]) AS g (id, draws, head, version, pool, room, opened)
WHERE s.tenant_id = :tenant AND s.id = g.id
