WITH bought AS (
    SELECT member_id, count(*) AS orders FROM tiers.paid_order
    WHERE tenant_id = :tenant AND paid_on BETWEEN :first::date AND :last::date AND total > refunded
    GROUP BY member_id
)
SELECT s.level, count(*) AS members, count(b.member_id) AS buyers, coalesce(sum(b.orders), 0)::bigint AS orders
FROM tiers.standing s LEFT JOIN bought b USING (member_id)
WHERE s.tenant_id = :tenant AND s.member_id > 0 GROUP BY s.level ORDER BY s.level DESC
