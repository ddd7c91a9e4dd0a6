UPDATE winback.offer o SET state = g.state, reward_key = g.reward_key, cost = g.cost
FROM unnest(:ids::bigint[], :states::text[], :keys::text[], :costs::bigint[]) AS g (id, state, reward_key, cost)
WHERE o.tenant_id = :tenant AND o.id = g.id AND o.state = 'owed'
