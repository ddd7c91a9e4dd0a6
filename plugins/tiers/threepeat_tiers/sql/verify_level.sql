-- Members whose tier is not the highest of its parts, or whose parts are not what their floors say.
SELECT member_id, s.level, s.earned, s.paid, s.granted, f.paid AS bought, f.granted AS given
FROM (SELECT * FROM tiers.standing WHERE tenant_id = :tenant) s
FULL JOIN (
    SELECT member_id, max(counted) FILTER (WHERE source = 'paid') AS paid,
           max(counted) FILTER (WHERE source = 'granted') AS granted
    FROM tiers.floor WHERE tenant_id = :tenant AND counted > 0 GROUP BY member_id
) f USING (member_id)
WHERE s.level IS DISTINCT FROM greatest(s.earned, s.paid, s.granted)
   OR coalesce(s.paid, 0) <> coalesce(f.paid, 0) OR coalesce(s.granted, 0) <> coalesce(f.granted, 0)
