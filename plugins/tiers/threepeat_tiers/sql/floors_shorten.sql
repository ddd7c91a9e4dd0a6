-- What was bought on top of what came back ends as much earlier.
WITH gone AS (
    SELECT * FROM unnest(:members::bigint[], :levels::bigint[], :untils::timestamptz[], :days::bigint[])
        AS g (member_id, level, until, days)
), shorter AS (
    SELECT f.id, sum(g.days) AS days FROM tiers.floor f JOIN gone g
      ON g.member_id = f.member_id AND g.level = f.level AND f.until > g.until
    WHERE f.tenant_id = :tenant AND f.source = 'paid' AND f.state = 'open'
    GROUP BY f.id
)
UPDATE tiers.floor f SET until = f.until - s.days * interval '1 day', revision = f.revision + 1,
                         changed_at = core.now()
FROM shorter s WHERE f.tenant_id = :tenant AND f.id = s.id
RETURNING f.id, f.member_id, f.until
