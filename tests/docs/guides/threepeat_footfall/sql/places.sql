SELECT place, count(*) AS visits FROM footfall.visit
WHERE tenant_id = :tenant AND day BETWEEN :first AND :last
GROUP BY place ORDER BY visits DESC, place LIMIT 20
