UPDATE points.redemption SET state = 'fulfilled', reward_kind = :kind::text, reward_key = :key::text
WHERE tenant_id = :tenant AND id = :id::bigint AND state = 'open'
