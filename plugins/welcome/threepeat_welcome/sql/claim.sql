-- Whom to welcome now. What the second order will bring is written down as it is promised.
UPDATE welcome.newcomer n
SET welcomed_at = g.welcomed_at, second_kind = :second_kind::text, second_amount = :second_amount::bigint,
    second_item = :second_item::text,
    second_until = g.welcomed_at + :second_within::interval
FROM unnest(:members::bigint[], :times::timestamptz[]) AS g (member_id, welcomed_at)
WHERE n.tenant_id = :tenant AND n.member_id = g.member_id AND n.welcomed_at IS NULL
  AND (NOT :only_new::boolean
       OR n.registered_at >= (SELECT opened_at FROM welcome.opening WHERE tenant_id = :tenant))
  AND (:within::bigint IS NULL OR g.welcomed_at <= n.registered_at + :within::bigint * interval '1 day')
RETURNING n.member_id, n.second_until
