UPDATE weatherpack.offer SET state = 'returned'
WHERE tenant_id = :tenant AND order_id = ANY(CAST(:orders AS text[])) AND state = 'taken'
RETURNING reward_kind, reward_key
