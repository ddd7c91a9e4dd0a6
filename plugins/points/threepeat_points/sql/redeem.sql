-- A redemption and what `redemption.sql` would say of it.
WITH r AS (
    INSERT INTO points.redemption (tenant_id, member_id, item_id, payment, points, day, state, redeemed_at, changed_at)
    VALUES (:tenant, :member::bigint, :item::bigint, :payment::text, :points::bigint, :day::date, 'open', core.now(),
            core.now())
    RETURNING *
)
SELECT r.id, r.member_id, r.item_id, r.payment, r.points, r.day, r.state, r.reward_kind, r.reward_key, r.redeemed_at,
       r.revision, r.changed_at, i.name, i.kind
FROM r JOIN points.item i ON i.tenant_id = r.tenant_id AND i.id = r.item_id
