INSERT INTO tiers.standing (tenant_id, member_id, version, earned, paid, granted, level, joined_on, reviewed_on,
                            review_on, grace_until, grace_since, fell_from, fell_version, fell_since)
SELECT :tenant, g.* FROM unnest(:member_id::bigint[], :version::bigint[], :earned::bigint[], :paid::bigint[],
                                :granted::bigint[], :levels::bigint[], :joined_on::date[], :reviewed_on::date[],
                                :review_on::date[], :grace_until::date[], :grace_since::date[],
                                :fell_from::bigint[], :fell_version::bigint[], :fell_since::date[])
    AS g (member_id, version, earned, paid, granted, level, joined_on, reviewed_on, review_on, grace_until,
          grace_since, fell_from, fell_version, fell_since)
ORDER BY g.member_id
ON CONFLICT (tenant_id, member_id) DO UPDATE SET
    version = excluded.version, earned = excluded.earned, paid = excluded.paid, granted = excluded.granted,
    level = excluded.level, joined_on = excluded.joined_on, reviewed_on = excluded.reviewed_on,
    review_on = excluded.review_on, grace_until = excluded.grace_until, grace_since = excluded.grace_since,
    fell_from = excluded.fell_from, fell_version = excluded.fell_version, fell_since = excluded.fell_since
