-- The next members whose day has come, all of the same day.
SELECT member_id, version, earned, paid, granted, joined_on, reviewed_on, review_on, grace_until, grace_since,
       fell_from, fell_version, fell_since
FROM tiers.standing
WHERE tenant_id = :tenant AND member_id > 0
  AND review_on = (SELECT min(review_on) FROM tiers.standing
                   WHERE tenant_id = :tenant AND member_id > 0 AND review_on <= :day::date)
ORDER BY member_id LIMIT :most::bigint FOR UPDATE
