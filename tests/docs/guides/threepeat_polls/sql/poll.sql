SELECT p.id, p.question, p.hint, p.audience, p.state, p.revision, p.changed_at,
       (SELECT count(*) FROM polls.answer a WHERE a.tenant_id = :tenant AND a.poll_id = p.id) AS answers
FROM polls.poll p WHERE p.tenant_id = :tenant AND p.id = :id::bigint
