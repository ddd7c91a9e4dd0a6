SELECT g.member_id, sum(d.value)::bigint AS growth
FROM unnest(:members::bigint[], :firsts::date[], :lasts::date[]) AS g (member_id, first, last)
JOIN tiers.day_growth d ON d.tenant_id = :tenant AND d.member_id = g.member_id AND d.day BETWEEN g.first AND g.last
GROUP BY g.member_id
