INSERT INTO points.item (tenant_id, name, description, kind, reward, price, stock, per_member, per_day, first_day,
                         last_day, audience, changed_at)
VALUES (:tenant, :name::text, :description::text, :kind::text, :reward::jsonb, :price::bigint, :stock::bigint,
        :per_member::bigint, :per_day::bigint, :first_day::date, :last_day::date, :audience::jsonb, core.now())
RETURNING id
