WITH fresh AS (
    INSERT INTO stamps.stamp (tenant_id, order_id, member_id)
    SELECT :tenant, order_id, member_id FROM unnest(:orders::text[], :members::bigint[]) AS given (order_id, member_id)
    ON CONFLICT (tenant_id, order_id) DO NOTHING
    RETURNING member_id
)
UPDATE stamps.card c SET held = c.held + f.stamps
FROM (SELECT member_id, count(*) AS stamps FROM fresh GROUP BY member_id) f
WHERE c.member_id = f.member_id
