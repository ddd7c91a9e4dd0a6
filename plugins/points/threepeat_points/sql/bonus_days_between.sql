-- What counts for orders paid between two instants; drafts have no period. The highest factor comes first.
SELECT id, factor_tenths, begins_at, ends_at, audience FROM points.bonus_day
WHERE tenant_id = :tenant AND ends_at > :since::timestamptz AND begins_at <= :until::timestamptz
ORDER BY factor_tenths DESC, id
