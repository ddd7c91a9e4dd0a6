-- Who bought on enough of these weekends, and has no offer for this warning.
SELECT w.member_id FROM weatherpack.weekend w
WHERE w.tenant_id = :tenant AND w.saturday BETWEEN :first AND :last
  AND NOT EXISTS (SELECT FROM weatherpack.offer o
                  WHERE o.tenant_id = :tenant AND o.warning = :warning AND o.member_id = w.member_id)
GROUP BY w.member_id HAVING count(*) >= :weekends
ORDER BY w.member_id
