SELECT h.member_id, l.category, sum(l.quantity)::bigint AS units
FROM orders.header h CROSS JOIN LATERAL jsonb_to_recordset(h.lines) AS l (category text, quantity bigint)
WHERE h.tenant_id = :tenant AND h.member_id = ANY(:members::bigint[]) AND l.category <> ''
GROUP BY h.member_id, l.category
