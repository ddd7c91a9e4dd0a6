SELECT (drawn_at AT TIME ZONE :zone::text)::date AS day, count(*) AS opened FROM blindbox.draw
WHERE tenant_id = :tenant AND drawn_at >= :begin::timestamptz AND drawn_at < :end::timestamptz
GROUP BY 1 ORDER BY 1
