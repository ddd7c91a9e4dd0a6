UPDATE vouchers.batch SET name = :name::text, revision = revision + 1, changed_at = core.now()
WHERE tenant_id = :tenant AND id = :id::bigint AND revision = :revision::bigint AND state IN ('making', 'ready')
RETURNING id
