WITH moved AS (
    DELETE FROM stars.account WHERE tenant_id = :tenant AND member_id = :source RETURNING stars
)
INSERT INTO stars.account AS a (tenant_id, member_id, stars)
SELECT :tenant, :target, stars FROM moved
ON CONFLICT (tenant_id, member_id) DO UPDATE SET stars = a.stars + excluded.stars
