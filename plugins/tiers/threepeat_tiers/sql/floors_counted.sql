-- Floors whose time is over are over; what is open counts from here on, and nothing else does.
UPDATE tiers.floor SET
    state = CASE WHEN state = 'open' AND until <= core.now() THEN 'over' ELSE state END,
    counted = CASE WHEN state = 'open' AND until > core.now() THEN level ELSE 0 END,
    revision = revision + CASE WHEN state = 'open' AND until <= core.now() THEN 1 ELSE 0 END
WHERE tenant_id = :tenant AND member_id = ANY(:members::bigint[]) AND (state = 'open' OR counted > 0)
