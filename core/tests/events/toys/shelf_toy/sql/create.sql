INSERT INTO shelf.jar (tenant_id, body, changed_at) VALUES (:tenant, :body::jsonb, core.now()) RETURNING id
