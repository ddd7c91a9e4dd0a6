-- Members of whom the last change says another tier or version than the one in which they stand.
SELECT s.member_id, s.level, s.version, c.to_level, c.version AS said
FROM tiers.standing s
LEFT JOIN LATERAL (
    SELECT to_level, version FROM tiers.change c
    WHERE c.tenant_id = :tenant AND c.member_id = s.member_id AND NOT c.merged
    ORDER BY c.position DESC, c.id DESC LIMIT 1
) c ON true
WHERE s.tenant_id = :tenant
  AND (coalesce(c.to_level, 0) <> s.level OR (c.version IS NOT NULL AND c.version <> s.version))
