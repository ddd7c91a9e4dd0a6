SELECT count(*) AS members FROM stars.account WHERE tenant_id = :tenant AND stars > 0
