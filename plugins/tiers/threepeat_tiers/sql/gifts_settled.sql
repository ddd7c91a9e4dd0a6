UPDATE tiers.gift t SET state = g.state, reward_key = g.reward_key
FROM unnest(:members::bigint[], :occasions::text[], :levels::bigint[], :periods::text[], :numbers::bigint[],
            :states::text[], :keys::text[])
    AS g (member_id, occasion, level, period, number, state, reward_key)
WHERE t.tenant_id = :tenant AND t.member_id = g.member_id AND t.occasion = g.occasion AND t.level = g.level
  AND t.period = g.period AND t.number = g.number AND t.state = 'owed'
