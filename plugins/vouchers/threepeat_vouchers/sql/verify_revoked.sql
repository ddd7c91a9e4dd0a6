-- Vouchers that were taken back and can be used, and void ones that nobody took back.
SELECT id, state FROM vouchers.voucher
WHERE tenant_id = :tenant AND (revoked AND state = 'issued' OR NOT revoked AND state = 'void')
