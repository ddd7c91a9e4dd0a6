-- Rewards that stand under two gifts.
SELECT reward_key, count(*) AS gifts FROM tiers.gift WHERE tenant_id = :tenant AND reward_key IS NOT NULL
GROUP BY reward_key HAVING count(*) > 1
