SELECT count(*) AS given, count(*) FILTER (WHERE state IN ('used', 'returned')) AS used FROM vouchers.voucher
WHERE tenant_id = :tenant AND issued_at >= :begin::timestamptz AND issued_at < :end::timestamptz
