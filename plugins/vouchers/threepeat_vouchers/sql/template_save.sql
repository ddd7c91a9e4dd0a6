UPDATE vouchers.template
SET name = :name::text, form = :form::jsonb, claimable = :claimable::boolean, total = :total::bigint,
    budget = :budget::bigint, give_back = :give_back::boolean, revision = revision + 1, changed_at = core.now()
WHERE tenant_id = :tenant AND id = :id::bigint AND revision = :revision::bigint AND state = :state::text
RETURNING id
