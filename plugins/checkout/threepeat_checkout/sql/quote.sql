INSERT INTO checkout.quote (tenant_id, id, member_id, known, state, content, before, total, delivery_back,
                            quoted_at, expires_at, changed_at)
VALUES (:tenant, :id::text, :member::bigint, :member::bigint IS NOT NULL, 'quoted', :content::text::jsonb,
        :before::bigint, :total::bigint, :delivery_back::boolean, core.now(), :expires_at::timestamptz, core.now())
