SELECT given_on, count(*) AS presents FROM birthday.present
WHERE tenant_id = :tenant AND state = 'given' AND given_on BETWEEN :first AND :last
GROUP BY given_on
