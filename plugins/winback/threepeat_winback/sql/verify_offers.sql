-- Members who were woken more or less often than they have offers.
SELECT member_id, a.offers, o.made FROM
    (SELECT member_id, offers FROM winback.activity WHERE tenant_id = :tenant) a
    FULL JOIN (SELECT member_id, count(*) AS made FROM winback.offer WHERE tenant_id = :tenant GROUP BY member_id) o
        USING (member_id)
WHERE coalesce(a.offers, 0) <> coalesce(o.made, 0)
