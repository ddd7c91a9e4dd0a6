SELECT member_id, p.held, l.came FROM
    (SELECT member_id, held FROM sampler.purse WHERE tenant_id = :tenant) p
    FULL JOIN (SELECT member_id, sum(amount) AS came FROM sampler.line WHERE tenant_id = :tenant GROUP BY 1) l
        USING (member_id)
WHERE p.held IS DISTINCT FROM l.came
