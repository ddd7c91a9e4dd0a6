-- Floors go along; the birthday of the target stays if it has one; the source's trail is kept beside the target's.
WITH floors AS (
    UPDATE tiers.floor SET member_id = :target::bigint WHERE tenant_id = :tenant AND member_id = :source::bigint
), trail AS (
    UPDATE tiers.change SET member_id = :target::bigint, merged = true
    WHERE tenant_id = :tenant AND member_id = :source::bigint
), gone AS (
    DELETE FROM tiers.birthday WHERE tenant_id = :tenant AND member_id = :source::bigint RETURNING month_day, set_on
)
INSERT INTO tiers.birthday (tenant_id, member_id, month_day, set_on)
SELECT :tenant, :target::bigint, month_day, set_on FROM gone
ON CONFLICT DO NOTHING
