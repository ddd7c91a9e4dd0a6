SELECT i.member_id, i.day, i.times FROM tiers.interaction i
JOIN unnest(:members::bigint[], :days::date[]) AS g (member_id, day) USING (member_id, day)
WHERE i.tenant_id = :tenant AND i.kind = :kind::text
