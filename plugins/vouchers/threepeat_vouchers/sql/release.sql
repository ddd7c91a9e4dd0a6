-- The order will not be paid. What it took of a budget is credited, so that nobody waits for the template.
WITH mine AS (
    SELECT id FROM vouchers.voucher WHERE tenant_id = :tenant AND id = :voucher::bigint FOR UPDATE
), freed AS (
    UPDATE vouchers.redemption r SET state = 'released' FROM mine m
    WHERE r.tenant_id = :tenant AND r.reservation = :reservation::text AND r.voucher_id = m.id AND r.state = 'held'
    RETURNING r.voucher_id, r.template_id, r.amount
), back AS (
    UPDATE vouchers.voucher v
    SET state = CASE WHEN v.revoked THEN 'void' ELSE 'issued' END, reservation = NULL
    FROM freed f
    WHERE v.tenant_id = :tenant AND v.id = f.voucher_id AND v.state = 'locked' AND v.reservation = :reservation::text
)
INSERT INTO vouchers.credit (tenant_id, template_id, amount)
SELECT :tenant, f.template_id, f.amount FROM freed f
JOIN vouchers.template t ON t.tenant_id = :tenant AND t.id = f.template_id
WHERE t.budget IS NOT NULL AND f.amount > 0
