-- To a question that both have answered, the later answer counts.
WITH moved AS (
    DELETE FROM polls.answer WHERE tenant_id = :tenant AND member_id = :source RETURNING poll_id, answer, at
)
INSERT INTO polls.answer AS a (tenant_id, poll_id, member_id, answer, at)
SELECT :tenant, poll_id, :target, answer, at FROM moved
ON CONFLICT (tenant_id, poll_id, member_id) DO UPDATE SET answer = excluded.answer, at = excluded.at
WHERE excluded.at > a.at
