SELECT day, sum(opened)::bigint AS opened, sum(succeeded)::bigint AS succeeded, sum(failed)::bigint AS failed FROM (
    SELECT (opened_at AT TIME ZONE :zone::text)::date AS day, 1 AS opened, 0 AS succeeded, 0 AS failed
    FROM groupbuy.team
    WHERE tenant_id = :tenant AND opened_at >= :begin::timestamptz AND opened_at < :end::timestamptz
    UNION ALL
    SELECT (done_at AT TIME ZONE :zone::text)::date, 0, (state = 'succeeded')::int, (state = 'failed')::int
    FROM groupbuy.team
    WHERE tenant_id = :tenant AND done_at >= :begin::timestamptz AND done_at < :end::timestamptz
) d
GROUP BY day
