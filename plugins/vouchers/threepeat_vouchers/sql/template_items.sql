SELECT id, name FROM vouchers.template WHERE tenant_id = :tenant AND state = 'active' ORDER BY id DESC LIMIT 1000
