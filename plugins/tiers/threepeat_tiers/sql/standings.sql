SELECT member_id, version, earned, paid, granted, joined_on, reviewed_on, review_on, grace_until, grace_since,
       fell_from, fell_version, fell_since
FROM tiers.standing WHERE tenant_id = :tenant AND member_id = ANY(:members::bigint[])
ORDER BY member_id FOR UPDATE
