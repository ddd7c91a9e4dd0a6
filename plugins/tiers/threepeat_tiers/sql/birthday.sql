-- One that is too young stays, unless it is the same; then nothing changes.
INSERT INTO tiers.birthday AS b (tenant_id, member_id, month_day, set_on)
VALUES (:tenant, :member::bigint, :named::text, :day::date)
ON CONFLICT (tenant_id, member_id) DO UPDATE
SET month_day = excluded.month_day,
    set_on = CASE WHEN b.month_day = excluded.month_day THEN b.set_on ELSE excluded.set_on END
WHERE b.month_day = excluded.month_day OR b.set_on <= :before::date
RETURNING set_on
