INSERT INTO diary.page (tenant_id, opened_at) VALUES (:tenant, core.now())
