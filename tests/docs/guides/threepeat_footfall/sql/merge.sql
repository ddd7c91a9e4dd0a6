WITH moved AS (
    DELETE FROM footfall.visit WHERE tenant_id = :tenant AND member_id = :source RETURNING day, place
)
INSERT INTO footfall.visit (tenant_id, member_id, day, place)
SELECT :tenant, :target, day, place FROM moved
ON CONFLICT (tenant_id, member_id, day, place) DO NOTHING
