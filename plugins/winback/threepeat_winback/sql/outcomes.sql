-- What became of the offers of spans of time; a cost goes down in proportion to what was taken back.
SELECT s.number, count(o.id) AS offers, count(o.id) FILTER (WHERE o.state <> 'open') AS returned,
       count(o.id) FILTER (WHERE o.state = 'given' AND o.taken < o.amount) AS kept,
       count(o.id) FILTER (WHERE o.state IN ('owed', 'missed')) AS not_given,
       coalesce(sum(o.cost - div(o.cost::numeric * o.taken, o.amount)), 0)::bigint AS cost
FROM unnest(:since::timestamptz[], :until::timestamptz[]) WITH ORDINALITY AS s (since, until, number)
LEFT JOIN winback.offer o ON o.tenant_id = :tenant AND o.offered_at >= s.since AND o.offered_at < s.until
GROUP BY s.number ORDER BY s.number
