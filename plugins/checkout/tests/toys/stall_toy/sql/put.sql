INSERT INTO stall.stock (tenant_id, item, initial, remaining)
SELECT :tenant, :item, :number::bigint, :number::bigint
