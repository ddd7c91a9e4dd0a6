SELECT at, answer FROM polls.answer WHERE tenant_id = :tenant AND poll_id = :id::bigint ORDER BY at, member_id
