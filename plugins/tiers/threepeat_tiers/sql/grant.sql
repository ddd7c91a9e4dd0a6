SELECT id, customer, level, until, reason, revision, changed_at,
       CASE WHEN state = 'open' AND until <= core.now() THEN 'over' ELSE state END AS state
FROM tiers.floor WHERE tenant_id = :tenant AND source = 'granted' AND member_id > 0 AND id = :id::bigint
