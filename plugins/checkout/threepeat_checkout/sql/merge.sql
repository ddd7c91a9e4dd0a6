WITH quotes AS (
    UPDATE checkout.quote SET member_id = :target::bigint WHERE tenant_id = :tenant AND member_id = :source::bigint
), parts AS (
    UPDATE checkout.taken SET member_id = :target::bigint WHERE tenant_id = :tenant AND member_id = :source::bigint
), payments AS (
    UPDATE checkout.payment SET member_id = :target::bigint
    WHERE tenant_id = :tenant AND member_id = :source::bigint
)
UPDATE checkout.refund SET member_id = :target::bigint WHERE tenant_id = :tenant AND member_id = :source::bigint
