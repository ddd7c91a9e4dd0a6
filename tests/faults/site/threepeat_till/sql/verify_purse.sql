SELECT p.member_id, p.received, p."left" FROM till.purse p
LEFT JOIN (
    SELECT member_id, sum(amount) AS amount FROM till.payment WHERE tenant_id = :tenant GROUP BY member_id
) s USING (member_id)
WHERE p.tenant_id = :tenant AND (p."left" < 0 OR p."left" <> p.received - coalesce(s.amount, 0))
