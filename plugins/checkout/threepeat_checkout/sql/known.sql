SELECT id FROM checkout.quote WHERE tenant_id = :tenant AND id = ANY(:ids::text[])
