SELECT t.level, t.name, t.form, t.state, t.revision, t.changed_at,
       (SELECT count(*) FROM tiers.standing s
        WHERE s.tenant_id = :tenant AND s.level = t.level AND s.member_id > 0) AS members
FROM tiers.tier t WHERE t.tenant_id = :tenant AND t.level = :level::bigint
