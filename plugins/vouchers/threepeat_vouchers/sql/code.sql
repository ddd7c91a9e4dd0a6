-- Which code it is, and whose template's; one lookup by hash, whatever was typed.
SELECT k.batch_id, k.number, k.voucher_id, b.state, b.template_id, t.form, v.member_id
FROM vouchers.code k
JOIN vouchers.batch b ON b.tenant_id = :tenant AND b.id = k.batch_id
JOIN vouchers.template t ON t.tenant_id = :tenant AND t.id = b.template_id
LEFT JOIN vouchers.voucher v ON v.tenant_id = :tenant AND v.id = k.voucher_id
WHERE k.tenant_id = :tenant AND k.hash = :hash::text
