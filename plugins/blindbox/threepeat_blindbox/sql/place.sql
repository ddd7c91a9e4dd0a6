-- Places of a series. Without a version the odds may have changed: then the boxes wait for their buyer.
UPDATE blindbox.series SET held = held + :boxes::bigint
WHERE tenant_id = :tenant AND id = :series::bigint AND state = 'on_sale'
  AND (:version::text IS NULL OR pool = :version::text) AND (room IS NULL OR held + :boxes::bigint <= room)
RETURNING held
