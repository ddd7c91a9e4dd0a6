SELECT id, name, form, state, sku, price, version, pool, draws, held, room, commitment, revision, changed_at
FROM blindbox.series WHERE tenant_id = :tenant AND id = :id::bigint
