UPDATE messages.permission p SET used = p.used + g.number
FROM unnest(:members::bigint[], :templates::text[], :numbers::bigint[]) AS g (member_id, template, number)
WHERE p.tenant_id = :tenant AND p.member_id = g.member_id AND p.template = g.template
  AND p.used + g.number <= p.granted
RETURNING p.member_id
