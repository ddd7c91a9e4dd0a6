SELECT count(*) AS active FROM webhooks.endpoint WHERE tenant_id = :tenant AND state = 'active'
