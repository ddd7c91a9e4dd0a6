INSERT INTO polls.poll (tenant_id, question, hint, audience, changed_at)
VALUES (:tenant, :question, :hint, :audience::jsonb, core.now())
RETURNING id
