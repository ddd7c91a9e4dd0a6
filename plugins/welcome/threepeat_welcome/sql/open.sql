-- Switching on what is on already changes nothing.
INSERT INTO welcome.opening AS o (tenant_id, opened_at, is_open) VALUES (:tenant, core.now(), true)
ON CONFLICT (tenant_id) DO UPDATE SET opened_at = excluded.opened_at, is_open = true WHERE NOT o.is_open
