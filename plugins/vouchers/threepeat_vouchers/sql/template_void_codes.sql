-- No code of a template that nobody entered is good any more.
WITH locked AS (
    SELECT id FROM vouchers.batch
    WHERE tenant_id = :tenant AND template_id = :id::bigint AND state IN ('making', 'ready')
    ORDER BY id FOR NO KEY UPDATE
)
UPDATE vouchers.batch b SET state = 'void', revision = b.revision + 1, changed_at = core.now()
FROM locked l WHERE b.tenant_id = :tenant AND b.id = l.id
