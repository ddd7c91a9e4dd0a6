UPDATE blindbox.series SET held = held + :boxes::bigint
WHERE tenant_id = :tenant AND id = :series::bigint AND state = 'on_sale' AND pool = :version::text
  AND (room IS NULL OR held + :boxes::bigint <= room)
RETURNING held
