-- Rewards that were due and not given, by what kept them back.
SELECT state, kind, count(*) AS times FROM checkin.reward
WHERE tenant_id = :tenant AND state NOT IN ('granted', 'duplicate')
  AND day BETWEEN :first::date AND :last::date
GROUP BY state, kind ORDER BY state, kind
