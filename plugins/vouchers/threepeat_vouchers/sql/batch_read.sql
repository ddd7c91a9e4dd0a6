SELECT b.id, b.name, b.template_id, b.size, b.made, b.secret, b.state, b.revision, b.changed_at, t.name AS template,
       c.entered, c.used
FROM vouchers.batch b
JOIN vouchers.template t ON t.tenant_id = :tenant AND t.id = b.template_id
CROSS JOIN LATERAL (
    SELECT count(*) AS entered, count(*) FILTER (WHERE v.state IN ('used', 'returned')) AS used
    FROM vouchers.code k JOIN vouchers.voucher v ON v.tenant_id = :tenant AND v.id = k.voucher_id
    WHERE k.tenant_id = :tenant AND k.batch_id = b.id
) c
WHERE b.tenant_id = :tenant AND b.id = :id::bigint
