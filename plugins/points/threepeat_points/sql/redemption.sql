SELECT r.id, r.member_id, r.item_id, r.payment, r.points, r.day, r.state, r.reward_kind, r.reward_key, r.redeemed_at,
       r.revision, r.changed_at, i.name, i.kind
FROM points.redemption r JOIN points.item i ON i.tenant_id = r.tenant_id AND i.id = r.item_id
WHERE r.tenant_id = :tenant AND r.id = :id::bigint
