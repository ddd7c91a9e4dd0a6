SELECT id, state FROM blindbox.box
WHERE tenant_id = :tenant AND id = :id::bigint AND member_id = :member::bigint FOR NO KEY UPDATE
