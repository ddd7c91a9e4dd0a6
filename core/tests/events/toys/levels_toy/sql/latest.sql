-- Wrong on purpose: it counts what came later too.
SELECT count(s.position) AS steps
FROM unnest(:members::bigint[], :positions::bigint[]) WITH ORDINALITY AS g (member_id, position, n)
LEFT JOIN levels.step s ON s.tenant_id = :tenant AND s.member_id = g.member_id
GROUP BY g.n ORDER BY g.n
