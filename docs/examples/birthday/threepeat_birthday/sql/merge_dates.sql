-- One person has one birthday: the target's own stays.
WITH moved AS (
    DELETE FROM birthday.date WHERE tenant_id = :tenant AND member_id = :source
    RETURNING month, day, told_on
)
INSERT INTO birthday.date (tenant_id, member_id, month, day, told_on)
SELECT :tenant, :target, month, day, told_on FROM moved
ON CONFLICT (tenant_id, member_id) DO NOTHING
