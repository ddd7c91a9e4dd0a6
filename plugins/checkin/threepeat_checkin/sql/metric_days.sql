SELECT day, count(*) FILTER (WHERE make_up_month IS NULL) AS taps,
       count(*) FILTER (WHERE make_up_month IS NOT NULL) AS made_up
FROM checkin.check_in WHERE tenant_id = :tenant AND day BETWEEN :first::date AND :last::date
GROUP BY day
