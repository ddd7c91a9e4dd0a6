SELECT member_id, version, earned, paid, granted, joined_on, reviewed_on, review_on, grace_until, grace_since,
       fell_from, fell_version, fell_since
FROM tiers.standing WHERE tenant_id = :tenant AND version = ANY(:versions::bigint[]) AND member_id > 0
ORDER BY member_id LIMIT :most::bigint FOR UPDATE
