SELECT id, member_id, known, state, content::text AS content, delivery_back, whole, times, order_id, expires_at,
       held_until
FROM checkout.quote WHERE tenant_id = :tenant AND id = :id::text
