UPDATE weatherpack.offer o SET reward_kind = :kind, reward_key = given.key
FROM unnest(CAST(:orders AS text[]), CAST(:keys AS text[])) AS given (order_id, key)
WHERE o.tenant_id = :tenant AND o.order_id = given.order_id
