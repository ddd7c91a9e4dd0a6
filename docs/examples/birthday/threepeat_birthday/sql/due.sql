-- Who was born on one of these days, told it before, and has not had the year's present.
SELECT d.member_id, given.year, given.day AS celebrated_on
FROM unnest(CAST(:days AS date[]), CAST(:years AS bigint[]), CAST(:months AS bigint[]), CAST(:numbers AS bigint[]))
     AS given (day, year, month, number)
JOIN birthday.date d ON d.tenant_id = :tenant AND d.month = given.month AND d.day = given.number
WHERE d.told_on < given.day
  AND NOT EXISTS (SELECT FROM birthday.present p
                  WHERE p.tenant_id = :tenant AND p.member_id = d.member_id AND p.year = given.year)
ORDER BY d.member_id
