-- Members with a tier whose birthday is on one of these days of the year.
SELECT b.member_id, b.month_day, s.version, s.level FROM tiers.birthday b
JOIN tiers.standing s ON s.tenant_id = :tenant AND s.member_id = b.member_id
WHERE b.tenant_id = :tenant AND b.month_day = ANY(:days::text[]) AND b.member_id > :after::bigint AND s.level > 0
ORDER BY b.member_id LIMIT :most::bigint
