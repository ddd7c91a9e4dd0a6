INSERT INTO vouchers.template (tenant_id, name, form, claimable, total, budget, give_back, changed_at)
VALUES (:tenant, :name::text, :form::jsonb, :claimable::boolean, :total::bigint, :budget::bigint,
        :give_back::boolean, core.now())
RETURNING id
