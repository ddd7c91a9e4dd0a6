-- The same, by its place in its batch.
SELECT k.hash, k.voucher_id FROM vouchers.code k
WHERE k.tenant_id = :tenant AND k.batch_id = :batch::bigint AND k.number = :number::bigint
