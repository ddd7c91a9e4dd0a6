-- Members who checked in, and those of them who bought on such a day or in the week after it.
SELECT count(*) AS members, count(*) FILTER (WHERE EXISTS (
    SELECT FROM checkin.purchase p
    JOIN checkin.check_in c ON c.tenant_id = :tenant AND c.member_id = p.member_id
    WHERE p.tenant_id = :tenant AND p.member_id = k.member_id
      AND p.day BETWEEN :first::date AND :last::date + 7
      AND c.make_up_month IS NULL AND c.day BETWEEN :first::date AND :last::date
      AND c.day BETWEEN p.day - 7 AND p.day
)) AS buyers
FROM (
    SELECT DISTINCT member_id FROM checkin.check_in
    WHERE tenant_id = :tenant AND make_up_month IS NULL AND day BETWEEN :first::date AND :last::date
) k
