UPDATE welcome.gift t SET state = g.state, reward_key = g.reward_key
FROM unnest(:ids::bigint[], :states::text[], :keys::text[]) AS g (id, state, reward_key)
WHERE t.tenant_id = :tenant AND t.id = g.id AND t.state = 'owed'
