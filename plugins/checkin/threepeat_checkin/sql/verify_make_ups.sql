-- Months whose count differs from the days that were made up for in them.
SELECT member_id, month, m.used, d.days FROM
    (SELECT member_id, month, used FROM checkin.make_up WHERE tenant_id = :tenant) m
    FULL JOIN (SELECT member_id, make_up_month AS month, count(*) AS days FROM checkin.check_in
               WHERE tenant_id = :tenant AND make_up_month IS NOT NULL GROUP BY member_id, make_up_month) d
    USING (member_id, month)
WHERE coalesce(m.used, 0) <> coalesce(d.days, 0)
