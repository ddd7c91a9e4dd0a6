-- Without anybody who has paid a group is over.
UPDATE groupbuy.team
SET taken = taken - 1, joined = joined - 1, state = CASE WHEN joined = 1 THEN 'failed' ELSE state END,
    why = CASE WHEN joined = 1 THEN 'dissolved' ELSE why END, done_at = CASE WHEN joined = 1 THEN core.now() END
WHERE tenant_id = :tenant AND id = :team::bigint AND state = 'open'
RETURNING joined
