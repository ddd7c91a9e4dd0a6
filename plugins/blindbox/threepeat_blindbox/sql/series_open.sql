-- The seed is committed to before anything can be drawn.
UPDATE blindbox.series
SET state = 'on_sale', commitment = :commitment::text, sealed = :sealed::text, opened_at = core.now(),
    revision = revision + 1, changed_at = core.now()
WHERE tenant_id = :tenant AND id = :id::bigint AND revision = :revision::bigint AND state = 'draft'
RETURNING id
