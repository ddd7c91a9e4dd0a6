-- The version in force, if there is one, the tiers as they are edited, and whether the tactic is closing.
SELECT v.number, v.rules, coalesce(t.tiers, '[]'::jsonb) AS tiers,
       coalesce((SELECT closing FROM tiers.store WHERE tenant_id = :tenant), false) AS closing
FROM (SELECT jsonb_agg(form || jsonb_build_object('level', level) ORDER BY level) AS tiers FROM tiers.tier
      WHERE tenant_id = :tenant AND state = 'active') t
LEFT JOIN (SELECT number, rules::text AS rules FROM tiers.version
           WHERE tenant_id = :tenant ORDER BY number DESC LIMIT 1) v ON true
