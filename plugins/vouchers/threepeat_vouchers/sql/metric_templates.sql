-- What became of each template's vouchers that were given in a period, and what they did to orders by now.
SELECT t.name, v.given, v.used, r.taken_off, r.paid
FROM vouchers.template t
CROSS JOIN LATERAL (
    SELECT count(*) AS given, count(*) FILTER (WHERE state IN ('used', 'returned')) AS used FROM vouchers.voucher
    WHERE tenant_id = :tenant AND template_id = t.id
      AND issued_at >= :begin::timestamptz AND issued_at < :end::timestamptz
) v
CROSS JOIN LATERAL (
    SELECT coalesce(sum(amount - returned), 0)::bigint AS taken_off,
           coalesce(sum(order_total) FILTER (WHERE NOT whole), 0)::bigint AS paid
    FROM vouchers.redemption
    WHERE tenant_id = :tenant AND template_id = t.id AND state = 'used'
      AND used_at >= :begin::timestamptz AND used_at < :end::timestamptz
) r
WHERE t.tenant_id = :tenant AND (v.given > 0 OR r.taken_off > 0)
ORDER BY r.taken_off DESC, v.given DESC, t.id LIMIT 100
