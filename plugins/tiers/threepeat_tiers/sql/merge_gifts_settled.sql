-- What the source was given already is not owed to the person any more.
UPDATE tiers.gift t SET state = s.state, reward_key = s.reward_key
FROM tiers.gift s
WHERE t.tenant_id = :tenant AND t.member_id = :target::bigint AND t.state <> 'given'
  AND s.tenant_id = :tenant AND s.member_id = :source::bigint AND s.state = 'given'
  AND s.occasion = t.occasion AND s.level = t.level AND s.period = t.period AND s.number = t.number
