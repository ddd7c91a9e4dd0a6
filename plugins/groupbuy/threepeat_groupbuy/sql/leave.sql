-- A paid seat of an open group is let go. The group is locked.
UPDATE groupbuy.seat s SET state = 'left', leads = false FROM groupbuy.team t
WHERE s.tenant_id = :tenant AND s.reservation = :reservation::text AND s.state = 'joined'
  AND t.tenant_id = :tenant AND t.id = :team::bigint AND t.id = s.team_id AND t.state = 'open'
RETURNING s.reservation, s.member_id, s.order_id, s.amount, s.reduction, s.returned
