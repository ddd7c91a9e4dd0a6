-- One template, with what became of its vouchers. A returned one was used.
SELECT t.id, t.name, t.form, t.state, t.revision, t.changed_at, v.given, v.used, v.void, r.taken_off, c.codes
FROM vouchers.template t
CROSS JOIN LATERAL (
    SELECT count(*) AS given, count(*) FILTER (WHERE state IN ('used', 'returned')) AS used,
           count(*) FILTER (WHERE state = 'void') AS void
    FROM vouchers.voucher
    WHERE tenant_id = :tenant AND template_id = t.id
) v
CROSS JOIN LATERAL (
    SELECT coalesce(sum(amount - returned), 0)::bigint AS taken_off FROM vouchers.redemption
    WHERE tenant_id = :tenant AND template_id = t.id AND state = 'used'
) r
CROSS JOIN LATERAL (
    SELECT coalesce(sum(size), 0)::bigint AS codes FROM vouchers.batch WHERE tenant_id = :tenant AND template_id = t.id
) c
WHERE t.tenant_id = :tenant AND t.id = :id::bigint
