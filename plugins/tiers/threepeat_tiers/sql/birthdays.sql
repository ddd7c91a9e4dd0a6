-- Members with a tier whose birthday is on one of these days of the year, and who have not had it in the period yet:
-- neither a birthday that was moved nor another tier brings a second one.
SELECT b.member_id, g.period, s.version, s.level
FROM unnest(:days::text[], :periods::text[]) AS g (month_day, period)
JOIN tiers.birthday b ON b.tenant_id = :tenant AND b.month_day = g.month_day
JOIN tiers.standing s ON s.tenant_id = :tenant AND s.member_id = b.member_id
WHERE b.member_id > :after::bigint AND s.level > 0
  AND NOT EXISTS (SELECT FROM tiers.gift h
                  WHERE h.tenant_id = :tenant AND h.member_id = b.member_id AND h.occasion = 'birthday'
                    AND h.period = g.period)
ORDER BY b.member_id LIMIT :most::bigint
