SELECT c.id, c.name, count(*) AS seats, count(*) FILTER (WHERE s.state = 'succeeded') AS succeeded,
       count(*) FILTER (WHERE s.state = 'succeeded' AND s.fresh) AS fresh,
       coalesce(sum(s.total) FILTER (WHERE s.state = 'succeeded'), 0)::bigint AS paid,
       coalesce(sum(s.reduction - s.returned) FILTER (WHERE s.state = 'succeeded'), 0)::bigint AS taken_off
FROM groupbuy.seat s JOIN groupbuy.campaign c ON c.tenant_id = :tenant AND c.id = s.campaign_id
WHERE s.tenant_id = :tenant AND s.joined_at >= :begin::timestamptz AND s.joined_at < :end::timestamptz
GROUP BY c.id, c.name ORDER BY paid DESC, c.id LIMIT 50
