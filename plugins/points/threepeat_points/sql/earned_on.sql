-- What members' orders of some local days hold, after refunds.
SELECT g.member_id, g.day, sum(l.granted - l.reversed)::bigint AS points
FROM unnest(:members::bigint[], :days::date[]) AS g (member_id, day)
JOIN points.lot l ON l.tenant_id = :tenant AND l.member_id = g.member_id AND l.order_id IS NOT NULL
 AND (l.earned_at AT TIME ZONE :timezone::text)::date = g.day
GROUP BY 1, 2
