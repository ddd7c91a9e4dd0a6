SELECT changed_at, from_level, to_level, version, reason FROM tiers.change
WHERE tenant_id = :tenant AND member_id = :member::bigint AND from_level <> to_level AND NOT merged
ORDER BY position DESC, id DESC LIMIT :most::bigint
