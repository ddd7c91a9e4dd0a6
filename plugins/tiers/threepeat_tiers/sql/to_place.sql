SELECT member_id, min(day) AS first_day FROM tiers.day_growth
WHERE tenant_id = :tenant AND member_id > greatest(:after::bigint, 0)
GROUP BY member_id ORDER BY member_id LIMIT :most::bigint
