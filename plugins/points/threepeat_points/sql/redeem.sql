INSERT INTO points.redemption (tenant_id, member_id, item_id, payment, points, day, state, redeemed_at, changed_at)
VALUES (:tenant, :member::bigint, :item::bigint, :payment::text, :points::bigint, :day::date, 'open', core.now(),
        core.now())
RETURNING id
