WITH moved AS (
    DELETE FROM weatherpack.weekend WHERE tenant_id = :tenant AND member_id = :source RETURNING saturday
)
INSERT INTO weatherpack.weekend (tenant_id, member_id, saturday)
SELECT :tenant, :target, saturday FROM moved
ON CONFLICT (tenant_id, member_id, saturday) DO NOTHING
