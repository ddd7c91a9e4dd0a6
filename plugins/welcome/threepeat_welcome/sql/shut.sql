UPDATE welcome.opening SET is_open = false WHERE tenant_id = :tenant
