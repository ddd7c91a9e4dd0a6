-- The period, and as many days before it.
SELECT count(v.member_id) AS members, count(v.member_id) FILTER (WHERE v.days >= 2) AS again
FROM unnest(ARRAY[:first::date, :first::date - :days::int], ARRAY[:last::date, :first::date - 1])
     WITH ORDINALITY AS p (first, last, n)
LEFT JOIN LATERAL (
    SELECT member_id, count(DISTINCT day) AS days FROM footfall.visit
    WHERE tenant_id = :tenant AND day BETWEEN p.first AND p.last
    GROUP BY member_id
) AS v ON true
GROUP BY p.n ORDER BY p.n
