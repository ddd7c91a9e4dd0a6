-- Members whose count of taken vouchers differs from the vouchers that they took.
SELECT coalesce(k.member_id, v.member_id) AS member_id, coalesce(k.template_id, v.template_id) AS template_id,
       k.taken, v.taken AS vouchers
FROM (SELECT member_id, template_id, taken FROM vouchers.taking WHERE tenant_id = :tenant) k
FULL JOIN (SELECT member_id, template_id, count(*) AS taken FROM vouchers.voucher
           WHERE tenant_id = :tenant AND source IN ('claim', 'code') AND member_id > 0
           GROUP BY member_id, template_id) v USING (member_id, template_id)
WHERE k.taken IS DISTINCT FROM v.taken
