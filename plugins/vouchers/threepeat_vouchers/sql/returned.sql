-- Something of an order came back; once everything did, the voucher is given back or is over.
WITH mine AS (
    SELECT v.id, t.give_back AND NOT v.revoked AS again, t.budget IS NOT NULL AS budgeted
    FROM vouchers.voucher v JOIN vouchers.template t ON t.tenant_id = :tenant AND t.id = v.template_id
    WHERE v.tenant_id = :tenant AND v.id = :voucher::bigint FOR UPDATE OF v
), before AS (
    SELECT r.reservation, r.voucher_id, r.returned, r.whole FROM vouchers.redemption r JOIN mine m ON m.id = r.voucher_id
    WHERE r.tenant_id = :tenant AND r.reservation = :reservation::text AND r.state = 'used' FOR UPDATE OF r
), after AS (
    UPDATE vouchers.redemption r
    SET returned = CASE WHEN :whole::boolean THEN r.amount
                        ELSE greatest(r.returned, least(:amount::bigint, r.amount)) END,
        whole = r.whole OR :whole::boolean
    FROM before b
    WHERE r.tenant_id = :tenant AND r.reservation = b.reservation AND r.voucher_id = b.voucher_id
    RETURNING r.voucher_id, r.template_id, r.returned - b.returned AS came, r.whole AND NOT b.whole AS complete
), credited AS (
    INSERT INTO vouchers.credit (tenant_id, template_id, amount)
    SELECT :tenant, a.template_id, a.came FROM after a CROSS JOIN mine m WHERE m.budgeted AND a.came > 0
)
UPDATE vouchers.voucher v
SET state = CASE WHEN m.again THEN 'issued' ELSE 'returned' END,
    reservation = CASE WHEN m.again THEN NULL ELSE v.reservation END
FROM mine m CROSS JOIN after a
WHERE v.tenant_id = :tenant AND v.id = m.id AND a.complete AND v.state = 'used'
  AND v.reservation = :reservation::text
RETURNING v.member_id, v.template_id, v.state = 'issued' AND v.valid_until > core.now() AS usable
