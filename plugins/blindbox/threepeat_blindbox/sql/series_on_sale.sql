SELECT id, name FROM blindbox.series WHERE tenant_id = :tenant AND state = 'on_sale' ORDER BY id DESC LIMIT 200
