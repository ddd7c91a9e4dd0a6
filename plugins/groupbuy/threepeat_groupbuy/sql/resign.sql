-- A member leads no open group any more.
UPDATE groupbuy.seat SET leads = false
WHERE tenant_id = :tenant AND member_id = :member::bigint AND state = 'joined' AND leads
RETURNING team_id
