SELECT member_id, coalesce(max(counted) FILTER (WHERE source = 'paid'), 0) AS paid,
       coalesce(max(counted) FILTER (WHERE source = 'granted'), 0) AS granted
FROM tiers.floor WHERE tenant_id = :tenant AND member_id = ANY(:members::bigint[]) AND counted > 0
GROUP BY member_id
