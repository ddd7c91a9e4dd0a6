SELECT count(*) AS seats, count(*) FILTER (WHERE fresh) AS fresh FROM groupbuy.seat
WHERE tenant_id = :tenant AND joined_at >= :begin::timestamptz AND joined_at < :end::timestamptz
