WITH gone AS (
    DELETE FROM messages.permission WHERE tenant_id = :tenant AND member_id = :source
    RETURNING template, granted, used
)
INSERT INTO messages.permission AS p (tenant_id, member_id, template, granted, used)
SELECT :tenant, :target, template, granted, used FROM gone ORDER BY template
ON CONFLICT (tenant_id, member_id, template) DO UPDATE
SET granted = p.granted + excluded.granted, used = p.used + excluded.used
