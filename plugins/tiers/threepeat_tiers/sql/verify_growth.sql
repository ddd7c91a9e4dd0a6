-- Days whose growth is not the sum of what brought it.
WITH brought AS (
    SELECT member_id, paid_on AS day, growth FROM tiers.paid_order WHERE tenant_id = :tenant
    UNION ALL
    SELECT member_id, refunded_on, -taken FROM tiers.refund WHERE tenant_id = :tenant
    UNION ALL
    SELECT member_id, day, growth FROM tiers.interaction WHERE tenant_id = :tenant
), sums AS (
    SELECT member_id, day, sum(growth) AS growth FROM brought GROUP BY member_id, day
)
SELECT member_id, day, d.value, s.growth
FROM (SELECT member_id, day, value FROM tiers.day_growth WHERE tenant_id = :tenant) d
FULL JOIN sums s USING (member_id, day)
WHERE coalesce(d.value, 0) <> coalesce(s.growth, 0)
