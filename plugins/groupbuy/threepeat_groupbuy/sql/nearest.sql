-- The open group that ends first, is not the member's own and fits; one that somebody else is changing is passed by.
WITH found AS (
    SELECT t.id FROM groupbuy.team t
    WHERE t.tenant_id = :tenant AND t.campaign_id = :campaign::bigint AND t.state = 'open' AND t.taken < t.size
      AND t.expires_at > core.now() AND t.pickup = :pickup::text AND t.slot = :slot::text
      AND t.id IS DISTINCT FROM :old::bigint
      AND NOT EXISTS (SELECT FROM groupbuy.seat s
                      WHERE s.tenant_id = :tenant AND s.team_id = t.id AND s.member_id = :member::bigint
                        AND s.state = 'joined' AND s.reservation <> :reservation::text)
    ORDER BY t.expires_at, t.id LIMIT 1 FOR UPDATE SKIP LOCKED
)
UPDATE groupbuy.team t
SET taken = taken + 1, joined = joined + 1, joins = joins + 1,
    state = CASE WHEN joined + 1 >= size THEN 'succeeded' ELSE state END,
    done_at = CASE WHEN joined + 1 >= size THEN core.now() END
FROM found f WHERE t.tenant_id = :tenant AND t.id = f.id
RETURNING t.id, t.state, t.size, t.least, t.joined, t.joins, t.expires_at
