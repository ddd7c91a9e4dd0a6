SELECT member_id, p.held, l.came, o.went FROM
    (SELECT member_id, held FROM tokens.purse WHERE tenant_id = :tenant) p
    FULL JOIN (SELECT member_id, sum(amount) AS came FROM tokens.line WHERE tenant_id = :tenant GROUP BY 1) l
        USING (member_id)
    FULL JOIN (SELECT member_id, sum(amount) AS went FROM tokens.payment WHERE tenant_id = :tenant GROUP BY 1) o
        USING (member_id)
WHERE coalesce(p.held, 0) <> coalesce(l.came, 0) - coalesce(o.went, 0)
