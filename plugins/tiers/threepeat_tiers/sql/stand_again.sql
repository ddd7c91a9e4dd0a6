UPDATE tiers.standing s SET
    version = g.version, earned = g.earned, paid = g.paid, granted = g.granted, level = g.level,
    joined_on = g.joined_on, reviewed_on = g.reviewed_on, review_on = g.review_on, grace_until = g.grace_until,
    grace_since = g.grace_since, fell_from = g.fell_from, fell_version = g.fell_version, fell_since = g.fell_since
FROM unnest(:member_id::bigint[], :version::bigint[], :earned::bigint[], :paid::bigint[], :granted::bigint[],
            :levels::bigint[], :joined_on::date[], :reviewed_on::date[], :review_on::date[], :grace_until::date[],
            :grace_since::date[], :fell_from::bigint[], :fell_version::bigint[], :fell_since::date[])
    AS g (member_id, version, earned, paid, granted, level, joined_on, reviewed_on, review_on, grace_until,
          grace_since, fell_from, fell_version, fell_since)
WHERE s.tenant_id = :tenant AND s.member_id = g.member_id
