-- Members above the tier that needs nothing, whose review is near, and their growth in the window that it looks at.
WITH terms AS (
    SELECT * FROM unnest(:versions::bigint[], :levels::bigint[], :keeps::bigint[], :firsts::date[])
        AS t (version, level, keep, first)
)
SELECT s.earned AS level, count(*) AS members, count(*) FILTER (WHERE g.growth < t.keep) AS short
FROM tiers.standing s JOIN terms t ON t.version = s.version AND t.level = s.earned
CROSS JOIN LATERAL (
    SELECT coalesce(sum(d.value), 0) AS growth FROM tiers.day_growth d
    WHERE d.tenant_id = :tenant AND d.member_id = s.member_id AND d.day < s.review_on
      AND d.day >= coalesce(s.grace_since, t.first, (s.review_on - interval '1 year')::date)
) g
WHERE s.tenant_id = :tenant AND s.member_id > 0 AND s.review_on <= :until::date
GROUP BY s.earned ORDER BY s.earned DESC
