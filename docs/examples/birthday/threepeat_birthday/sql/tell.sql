-- The condition is the check: a date that is too young stays, unless it is the same.
INSERT INTO birthday.date AS d (tenant_id, member_id, month, day, told_on)
VALUES (:tenant, :member, :month, :day, :today)
ON CONFLICT (tenant_id, member_id) DO UPDATE
SET month = excluded.month, day = excluded.day,
    told_on = CASE WHEN (d.month, d.day) = (excluded.month, excluded.day) THEN d.told_on ELSE excluded.told_on END
WHERE d.told_on <= :before OR (d.month, d.day) = (excluded.month, excluded.day)
RETURNING month
