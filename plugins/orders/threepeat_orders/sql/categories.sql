SELECT member_id, category, sum(quantity)::bigint AS units FROM orders.line
WHERE tenant_id = :tenant AND member_id = ANY(:members::bigint[]) AND category <> ''
GROUP BY member_id, category
