-- One more for a member. The row is the limit: where it does not change, there were enough.
INSERT INTO vouchers.taking AS k (tenant_id, member_id, template_id, taken, day, today)
VALUES (:tenant, :member::bigint, :template::bigint, 1, :day::date, 1)
ON CONFLICT (tenant_id, member_id, template_id) DO UPDATE SET
    taken = k.taken + 1, day = excluded.day,
    today = CASE WHEN k.day = excluded.day THEN k.today + 1 ELSE 1 END
WHERE (:per_member::bigint IS NULL OR k.taken < :per_member::bigint)
  AND (:per_day::bigint IS NULL OR k.day <> excluded.day OR k.today < :per_day::bigint)
RETURNING taken
