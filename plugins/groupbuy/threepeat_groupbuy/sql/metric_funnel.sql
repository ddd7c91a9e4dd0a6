SELECT count(*) AS opened, count(*) FILTER (WHERE joins > 1) AS shared,
       count(*) FILTER (WHERE joins > 1 AND state = 'succeeded') AS filled
FROM groupbuy.team
WHERE tenant_id = :tenant AND opened_at >= :begin::timestamptz AND opened_at < :end::timestamptz
