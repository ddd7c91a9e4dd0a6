SELECT count(*) AS vouchers FROM vouchers.voucher
WHERE tenant_id = :tenant AND member_id > 0
  AND (state = 'locked' OR (state = 'issued' AND valid_until > core.now()))
