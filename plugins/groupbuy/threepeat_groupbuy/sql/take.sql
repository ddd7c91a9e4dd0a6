-- A seat of a group is had by whoever finds one free in time.
UPDATE groupbuy.team t SET taken = taken + 1
WHERE t.tenant_id = :tenant AND t.id = :team::bigint AND t.campaign_id = :campaign::bigint AND t.state = 'open'
  AND t.taken < t.size AND t.expires_at > core.now()
  AND NOT EXISTS (SELECT FROM groupbuy.seat s
                  WHERE s.tenant_id = :tenant AND s.team_id = t.id AND s.member_id = :member::bigint
                    AND s.state = 'joined' AND s.reservation <> :reservation::text)
RETURNING t.id
