WITH payments AS (
    INSERT INTO tokens.payment (tenant_id, reference, member_id, amount)
    VALUES (:tenant, :reference::text, :member::bigint, :amount::bigint)
)
UPDATE tokens.purse SET held = :held::bigint WHERE tenant_id = :tenant AND member_id = :member
