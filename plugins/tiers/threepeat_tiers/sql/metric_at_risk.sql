-- Members above the tier that needs nothing, whose review is near, and their growth in the window that it looks at.
WITH terms AS (
    SELECT * FROM unnest(:versions::bigint[], :levels::bigint[], :keeps::bigint[], :firsts::date[])
        AS t (version, level, keep, first)
), soon AS (
    SELECT s.member_id, s.earned AS level, t.keep, s.review_on - 1 AS last,
           coalesce(s.grace_since, t.first, (s.review_on - interval '1 year')::date) AS first
    FROM tiers.standing s JOIN terms t ON t.version = s.version AND t.level = s.earned
    WHERE s.tenant_id = :tenant AND s.member_id > 0 AND s.review_on <= :until::date
), grown AS (
    SELECT n.member_id, n.level, n.keep, coalesce(sum(d.value), 0) AS growth FROM soon n
    LEFT JOIN tiers.day_growth d
      ON d.tenant_id = :tenant AND d.member_id = n.member_id AND d.day BETWEEN n.first AND n.last
    GROUP BY n.member_id, n.level, n.keep
)
SELECT level, count(*) AS members, count(*) FILTER (WHERE growth < keep) AS short
FROM grown GROUP BY level ORDER BY level DESC
