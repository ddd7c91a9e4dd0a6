SELECT member_id, template, granted - used AS room FROM messages.permission
WHERE tenant_id = :tenant AND member_id = ANY(:members::bigint[]) AND template = ANY(:templates::text[])
ORDER BY member_id, template FOR UPDATE
