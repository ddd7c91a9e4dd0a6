-- One that has not begun ends before it begins; one that is over stays as long as it was.
UPDATE points.bonus_day
SET state = 'closed', ends_at = greatest(begins_at, least(ends_at, core.now())),
    revision = revision + 1, changed_at = core.now()
WHERE tenant_id = :tenant AND id = :id::bigint AND revision = :revision::bigint AND state = 'published'
RETURNING id
