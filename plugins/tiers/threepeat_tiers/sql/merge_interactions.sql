-- What either did on a day was done by one person; what it brought stays.
WITH gone AS (
    DELETE FROM tiers.interaction WHERE tenant_id = :tenant AND member_id = :source::bigint
    RETURNING day, kind, times, growth
)
INSERT INTO tiers.interaction AS i (tenant_id, member_id, day, kind, times, growth)
SELECT :tenant, :target::bigint, day, kind, times, growth FROM gone ORDER BY day, kind
ON CONFLICT (tenant_id, member_id, day, kind) DO UPDATE
SET times = i.times + excluded.times, growth = i.growth + excluded.growth
