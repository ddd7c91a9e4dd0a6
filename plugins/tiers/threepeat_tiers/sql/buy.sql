INSERT INTO tiers.floor (tenant_id, member_id, source, level, begins_at, until, days, order_id, skus, customer, reason,
                         changed_at)
SELECT :tenant, g.member_id, 'paid', g.level, g.begins_at, g.until, g.days, g.order_id,
       ARRAY(SELECT jsonb_array_elements_text(g.skus::jsonb)), '', '', core.now()
FROM unnest(:members::bigint[], :levels::bigint[], :begins::timestamptz[], :untils::timestamptz[],
            :days::bigint[], :orders::text[], :skus::text[]) WITH ORDINALITY
    AS g (member_id, level, begins_at, until, days, order_id, skus, n)
ORDER BY g.n
ON CONFLICT DO NOTHING
RETURNING id, member_id, until
