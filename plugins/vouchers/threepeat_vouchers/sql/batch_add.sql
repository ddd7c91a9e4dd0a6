INSERT INTO vouchers.batch (tenant_id, name, template_id, size, secret, changed_at)
VALUES (:tenant, :name::text, :template::bigint, :size::bigint, :secret::text, core.now())
RETURNING id
