WITH moved AS (
    DELETE FROM club.gold WHERE tenant_id = :tenant AND member_id = :source RETURNING position, since, factor
)
INSERT INTO club.gold (tenant_id, member_id, position, since, factor)
SELECT :tenant, :target, position, since, factor FROM moved
ON CONFLICT (tenant_id, member_id) DO NOTHING
