-- Rewards that stand under two gifts, and orders for which a reward was given twice.
SELECT reward_key AS twice FROM welcome.gift WHERE tenant_id = :tenant AND reward_key IS NOT NULL
GROUP BY reward_key HAVING count(*) > 1
UNION ALL
SELECT order_id FROM welcome.gift WHERE tenant_id = :tenant AND order_id IS NOT NULL
GROUP BY order_id, part, number HAVING count(*) > 1
