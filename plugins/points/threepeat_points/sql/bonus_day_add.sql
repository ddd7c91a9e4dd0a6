INSERT INTO points.bonus_day (tenant_id, name, factor_tenths, first_day, last_day, audience, changed_at)
VALUES (:tenant, :name::text, :factor_tenths::bigint, :first_day::date, :last_day::date, :audience::jsonb, core.now())
RETURNING id
