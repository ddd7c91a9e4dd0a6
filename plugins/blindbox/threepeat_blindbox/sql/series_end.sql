UPDATE blindbox.series SET state = 'ending', revision = revision + 1, changed_at = core.now()
WHERE tenant_id = :tenant AND id = :id::bigint AND revision = :revision::bigint AND state = 'on_sale'
RETURNING id
