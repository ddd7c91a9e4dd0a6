SELECT count(*) AS members FROM (
    SELECT member_id FROM cakes.purchase WHERE tenant_id = :tenant GROUP BY member_id HAVING count(*) >= 10
) AS waiting
