-- A voucher for an order. It is had by whoever finds it issued; an order that used it once never holds it again.
WITH mine AS (
    UPDATE vouchers.voucher v SET state = 'locked', reservation = :reservation::text
    WHERE v.tenant_id = :tenant AND v.id = :voucher::bigint AND v.member_id = :member::bigint AND v.state = 'issued'
      AND v.valid_from <= core.now() AND v.valid_until > core.now()
      AND NOT EXISTS (SELECT FROM vouchers.redemption r
                      WHERE r.tenant_id = :tenant AND r.reservation = :reservation::text AND r.voucher_id = v.id
                        AND r.state = 'used')
    RETURNING v.id, v.member_id, v.template_id
), written AS (
    INSERT INTO vouchers.redemption AS r (tenant_id, reservation, voucher_id, member_id, template_id, amount, held_at)
    SELECT :tenant, :reservation::text, id, member_id, template_id, :amount::bigint, core.now() FROM mine
    ON CONFLICT (tenant_id, reservation, voucher_id) DO UPDATE SET
        state = 'held', amount = excluded.amount, member_id = excluded.member_id, held_at = excluded.held_at
    WHERE r.state = 'released'
)
SELECT m.template_id, t.budget IS NOT NULL AS budgeted FROM mine m
JOIN vouchers.template t ON t.tenant_id = :tenant AND t.id = m.template_id
