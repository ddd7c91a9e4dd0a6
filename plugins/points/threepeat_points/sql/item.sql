SELECT id, name, description, kind, reward, price, stock, per_member, per_day, first_day, last_day, audience, redeemed,
       state, revision, changed_at
FROM points.item WHERE tenant_id = :tenant AND id = :id::bigint
