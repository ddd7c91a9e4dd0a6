INSERT INTO polls.answer AS a (tenant_id, poll_id, member_id, answer, at)
SELECT :tenant, id, :member, :answer, core.now() FROM polls.poll WHERE tenant_id = :tenant AND state = 'open'
ON CONFLICT (tenant_id, poll_id, member_id) DO UPDATE SET answer = excluded.answer, at = excluded.at
RETURNING poll_id
