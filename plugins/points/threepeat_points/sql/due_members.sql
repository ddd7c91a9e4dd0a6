-- Members with lots that time has done something to and nobody has written it down. The instant is bound: under
-- row-level security a condition on core.now() would not reach the indexes.
SELECT member_id FROM (
    (SELECT member_id FROM points.lot
     WHERE tenant_id = :tenant AND remaining > 0 AND expires_at <= :now::timestamptz
     ORDER BY expires_at, member_id LIMIT 4 * :most::bigint)
    UNION
    (SELECT member_id FROM points.lot
     WHERE tenant_id = :tenant AND waiting AND remaining > 0 AND unlocks_at <= :now::timestamptz
     ORDER BY unlocks_at LIMIT 4 * :most::bigint)
) due
ORDER BY member_id LIMIT :most::bigint
