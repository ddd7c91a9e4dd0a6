-- Of two offers for one warning the one that was taken stays.
WITH moved AS (
    DELETE FROM weatherpack.offer WHERE tenant_id = :tenant AND member_id = :source
    RETURNING warning, offered_at, until, state, order_id, reward_kind, reward_key
)
INSERT INTO weatherpack.offer AS o
    (tenant_id, warning, member_id, offered_at, until, state, order_id, reward_kind, reward_key)
SELECT :tenant, warning, :target, offered_at, until, state, order_id, reward_kind, reward_key FROM moved
ON CONFLICT (tenant_id, warning, member_id) DO UPDATE
SET state = excluded.state, order_id = excluded.order_id, reward_kind = excluded.reward_kind,
    reward_key = excluded.reward_key
WHERE o.state = 'open'
