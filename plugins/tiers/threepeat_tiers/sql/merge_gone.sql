DELETE FROM tiers.standing WHERE tenant_id = :tenant AND member_id = :source::bigint
