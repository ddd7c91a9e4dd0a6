UPDATE blindbox.series SET version = :version::bigint, pool = :pool::text, room = :room::bigint
WHERE tenant_id = :tenant AND id = :id::bigint
