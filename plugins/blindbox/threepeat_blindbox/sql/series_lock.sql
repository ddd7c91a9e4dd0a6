-- Series, locked one after another by id. What stands beside them is read after it: the lock may have waited for a draw
-- that changed it.
SELECT id, name, form, state, version, pool, draws, head, held, room, daily_boxes, daily_money, commitment, sealed,
       revision
FROM blindbox.series
WHERE tenant_id = :tenant AND id = ANY(:ids::bigint[])
ORDER BY id FOR NO KEY UPDATE
