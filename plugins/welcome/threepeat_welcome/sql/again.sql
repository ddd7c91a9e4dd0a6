-- Packs of two spans of time, and how many of their members ordered a second time within 30 days of the pack.
SELECT p.number, count(n.member_id) AS packs,
       count(*) FILTER (WHERE n.second_order_at <= n.welcomed_at + interval '30 days') AS again
FROM unnest(:since::timestamptz[], :until::timestamptz[]) WITH ORDINALITY AS p (since, until, number)
LEFT JOIN welcome.newcomer n
  ON n.tenant_id = :tenant AND n.welcomed_at >= p.since AND n.welcomed_at < p.until
GROUP BY p.number ORDER BY p.number
