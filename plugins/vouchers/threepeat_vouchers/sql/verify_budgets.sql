-- Templates with a budget whose count differs from what their vouchers take off, and those that took off too much.
SELECT t.id, t.budget, t.taken, c.back, r.amount FROM vouchers.template t
CROSS JOIN LATERAL (
    SELECT coalesce(sum(amount), 0) AS back FROM vouchers.credit WHERE tenant_id = :tenant AND template_id = t.id
) c
CROSS JOIN LATERAL (
    SELECT coalesce(sum(amount - returned), 0) AS amount FROM vouchers.redemption
    WHERE tenant_id = :tenant AND template_id = t.id AND state IN ('held', 'used')
) r
WHERE t.tenant_id = :tenant AND t.budget IS NOT NULL AND (t.taken - c.back <> r.amount OR r.amount > t.budget)
