-- How a voucher stands in an order.
SELECT state FROM vouchers.redemption
WHERE tenant_id = :tenant AND reservation = :reservation::text AND voucher_id = :voucher::bigint
