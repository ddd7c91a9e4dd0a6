-- The order was paid. The voucher is locked before its order's row, by everybody.
WITH mine AS (
    SELECT id, member_id FROM vouchers.voucher WHERE tenant_id = :tenant AND id = :voucher::bigint FOR UPDATE
), done AS (
    UPDATE vouchers.redemption r SET state = 'used', order_id = :order::text, used_at = core.now()
    FROM mine m
    WHERE r.tenant_id = :tenant AND r.reservation = :reservation::text AND r.voucher_id = m.id AND r.state = 'held'
    RETURNING r.voucher_id, r.template_id, r.amount
), used AS (
    UPDATE vouchers.voucher v SET state = 'used' FROM done d
    WHERE v.tenant_id = :tenant AND v.id = d.voucher_id AND v.state = 'locked' AND v.reservation = :reservation::text
)
SELECT m.member_id, d.template_id, d.amount FROM done d CROSS JOIN mine m
