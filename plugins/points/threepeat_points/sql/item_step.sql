UPDATE points.item SET state = :after::text, revision = revision + 1, changed_at = core.now()
WHERE tenant_id = :tenant AND id = :id::bigint AND revision = :revision::bigint AND state = ANY(:before::text[])
RETURNING id
