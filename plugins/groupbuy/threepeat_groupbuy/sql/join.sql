-- A held seat is paid; with the last one the group is complete in the same write. Nobody has two seats of a group.
UPDATE groupbuy.team t
SET joined = joined + 1, joins = joins + 1, state = CASE WHEN joined + 1 >= size THEN 'succeeded' ELSE state END,
    done_at = CASE WHEN joined + 1 >= size THEN core.now() END
WHERE t.tenant_id = :tenant AND t.id = :team::bigint AND t.state = 'open'
  AND NOT EXISTS (SELECT FROM groupbuy.seat s
                  WHERE s.tenant_id = :tenant AND s.team_id = t.id AND s.member_id = :member::bigint
                    AND s.state = 'joined' AND s.reservation <> :reservation::text)
RETURNING t.id, t.state, t.size, t.least, t.joined, t.joins, t.expires_at
