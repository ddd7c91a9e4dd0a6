WITH given AS (
    INSERT INTO messages.permission_grant (tenant_id, position, member_id, template, number)
    SELECT :tenant, position, member_id, template, number
    FROM unnest(:positions::bigint[], :members::bigint[], :templates::text[], :numbers::bigint[])
         AS g (position, member_id, template, number)
    ORDER BY position
    ON CONFLICT DO NOTHING RETURNING member_id, template, number
)
INSERT INTO messages.permission AS p (tenant_id, member_id, template, granted)
SELECT :tenant, member_id, template, sum(number)::bigint FROM given
GROUP BY member_id, template ORDER BY member_id, template
ON CONFLICT (tenant_id, member_id, template) DO UPDATE SET granted = p.granted + excluded.granted
