SELECT day, sum(given)::bigint AS given, sum(used)::bigint AS used FROM (
    SELECT (issued_at AT TIME ZONE :zone::text)::date AS day, 1 AS given, 0 AS used FROM vouchers.voucher
    WHERE tenant_id = :tenant AND issued_at >= :begin::timestamptz AND issued_at < :end::timestamptz
    UNION ALL
    SELECT (used_at AT TIME ZONE :zone::text)::date, 0, 1 FROM vouchers.redemption
    WHERE tenant_id = :tenant AND state = 'used'
      AND used_at >= :begin::timestamptz AND used_at < :end::timestamptz
) d
GROUP BY day
