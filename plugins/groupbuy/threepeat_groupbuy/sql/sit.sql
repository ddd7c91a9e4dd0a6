UPDATE groupbuy.seat
SET state = 'joined', team_id = :team::bigint, order_id = :order::text, leads = :leads::boolean,
    moved = :moved::boolean, place = :place::bigint, joined_at = core.now()
WHERE tenant_id = :tenant AND reservation = :reservation::text AND state = 'held'
