INSERT INTO webhooks.endpoint (tenant_id, name, url, every, types, secret, created_at, changed_at)
VALUES (:tenant, :name::text, :url::text, :every::boolean, :types::text[], :secret::text, core.now(), core.now())
RETURNING id
