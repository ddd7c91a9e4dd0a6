SELECT h.member_id, l.category, sum(l.quantity)::bigint AS units
FROM orders.header h
JOIN core.event e ON e.tenant_id = h.tenant_id AND e.position = h.position
CROSS JOIN LATERAL jsonb_to_recordset(e.data -> 'lines') AS l (category text, quantity bigint)
WHERE h.tenant_id = :tenant AND h.member_id = ANY(:members::bigint[]) AND l.category <> ''
GROUP BY h.member_id, l.category
