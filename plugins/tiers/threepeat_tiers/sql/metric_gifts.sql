SELECT s.number, count(g.member_id) AS given
FROM unnest(:since::timestamptz[], :until::timestamptz[]) WITH ORDINALITY AS s (since, until, number)
LEFT JOIN tiers.gift g
  ON g.tenant_id = :tenant AND g.state = 'given' AND g.decided_at >= s.since AND g.decided_at < s.until
GROUP BY s.number ORDER BY s.number
