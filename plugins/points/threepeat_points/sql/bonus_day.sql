-- One bonus day, with how many orders it counted for and what is left, after refunds, of what they earned.
SELECT d.id, d.name, d.factor_tenths, d.first_day, d.last_day, d.audience, d.state, d.revision, d.begins_at,
       d.ends_at, d.changed_at, l.orders, l.points
FROM points.bonus_day d CROSS JOIN LATERAL (
    SELECT count(*) AS orders, coalesce(sum(granted - reversed), 0)::bigint AS points FROM points.lot
    WHERE tenant_id = :tenant AND bonus_day_id = d.id
) l
WHERE d.tenant_id = :tenant AND d.id = :id::bigint
