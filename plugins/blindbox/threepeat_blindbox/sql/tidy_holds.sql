DELETE FROM blindbox.hold
WHERE tenant_id = :tenant AND state = 'released' AND day < (core.now() - interval '60 days')::date
