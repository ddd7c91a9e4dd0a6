SELECT id, question, audience FROM polls.poll WHERE tenant_id = :tenant AND state = 'open'
