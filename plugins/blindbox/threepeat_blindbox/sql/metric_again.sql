WITH days AS (
    SELECT member_id, count(DISTINCT (opened_at AT TIME ZONE :zone::text)::date) AS days FROM blindbox.box
    WHERE tenant_id = :tenant AND opened_at >= :begin::timestamptz AND opened_at < :end::timestamptz
      AND member_id > 0
    GROUP BY member_id
)
SELECT count(*) AS buyers, count(*) FILTER (WHERE days > 1) AS again FROM days
