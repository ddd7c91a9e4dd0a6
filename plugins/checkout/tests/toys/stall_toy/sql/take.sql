UPDATE stall.stock SET remaining = remaining - :take::bigint
WHERE tenant_id = :tenant AND item = :item AND remaining >= :take::bigint
RETURNING remaining
