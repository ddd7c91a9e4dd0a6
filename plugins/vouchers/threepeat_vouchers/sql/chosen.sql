-- Vouchers that a member names, by id or by code; of a code that nobody took, what it would be, and how many of its
-- template the member took.
SELECT v.id, v.member_id, v.state, v.valid_from, v.valid_until, t.form, t.budget - t.taken + coalesce((
    SELECT sum(c.amount) FROM vouchers.credit c WHERE c.tenant_id = :tenant AND c.template_id = t.id
), 0)::bigint AS room, k.batch_id, k.number, k.hash, 0 AS taken, 0 AS today
FROM vouchers.voucher v
JOIN vouchers.template t ON t.tenant_id = :tenant AND t.id = v.template_id
LEFT JOIN vouchers.code k ON k.tenant_id = :tenant AND k.voucher_id = v.id
WHERE v.tenant_id = :tenant AND v.member_id = :member::bigint
  AND (v.id = ANY(:ids::bigint[]) OR k.hash = ANY(:hashes::text[]))
UNION ALL
SELECT NULL, NULL, b.state, NULL, NULL, t.form, t.budget - t.taken + coalesce((
    SELECT sum(c.amount) FROM vouchers.credit c WHERE c.tenant_id = :tenant AND c.template_id = t.id
), 0)::bigint, k.batch_id, k.number, k.hash, coalesce(g.taken, 0),
       CASE WHEN g.day = :day::date THEN g.today ELSE 0 END
FROM vouchers.code k
JOIN vouchers.batch b ON b.tenant_id = :tenant AND b.id = k.batch_id
JOIN vouchers.template t ON t.tenant_id = :tenant AND t.id = b.template_id
LEFT JOIN vouchers.taking g ON g.tenant_id = :tenant AND g.member_id = :member::bigint AND g.template_id = t.id
WHERE k.tenant_id = :tenant AND k.hash = ANY(:hashes::text[]) AND k.voucher_id IS NULL AND b.state = 'ready'
