-- Codes whose voucher is not of their template, vouchers of codes without one, and batches with other codes than made.
SELECT k.batch_id, k.number, k.voucher_id FROM vouchers.code k
JOIN vouchers.batch b ON b.tenant_id = :tenant AND b.id = k.batch_id
LEFT JOIN vouchers.voucher v ON v.tenant_id = :tenant AND v.id = k.voucher_id
WHERE k.tenant_id = :tenant AND k.voucher_id IS NOT NULL
  AND (v.template_id IS DISTINCT FROM b.template_id OR v.source <> 'code')
UNION ALL
SELECT NULL, NULL, v.id FROM vouchers.voucher v
WHERE v.tenant_id = :tenant AND v.source = 'code'
  AND NOT EXISTS (SELECT FROM vouchers.code k WHERE k.tenant_id = :tenant AND k.voucher_id = v.id)
UNION ALL
SELECT b.id, b.made, NULL FROM vouchers.batch b
WHERE b.tenant_id = :tenant
  AND b.made <> (SELECT count(*) FROM vouchers.code k WHERE k.tenant_id = :tenant AND k.batch_id = b.id)
