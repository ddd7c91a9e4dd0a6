-- Paid seats that do not stand as their group does.
SELECT s.reservation, s.state, t.state AS team FROM groupbuy.seat s
LEFT JOIN groupbuy.team t ON t.tenant_id = :tenant AND t.id = s.team_id
WHERE s.tenant_id = :tenant AND s.state IN ('joined', 'succeeded', 'failed')
  AND NOT (s.state = 'failed' AND s.team_id IS NULL)
  AND t.state IS DISTINCT FROM CASE s.state WHEN 'joined' THEN 'open' ELSE s.state END
