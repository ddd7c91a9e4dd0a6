INSERT INTO blindbox.signer (tenant_id, id, public_key, sealed) VALUES (:tenant, 1, :public_key::text, :sealed::text)
ON CONFLICT DO NOTHING
