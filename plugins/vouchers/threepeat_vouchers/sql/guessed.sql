-- The try was right, so it does not count.
UPDATE vouchers.guess SET tries = tries - 1 WHERE tenant_id = :tenant AND member_id = :member::bigint AND tries > 0
