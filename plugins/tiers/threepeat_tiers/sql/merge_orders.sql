WITH refunds AS (
    UPDATE tiers.refund SET member_id = :target::bigint WHERE tenant_id = :tenant AND member_id = :source::bigint
)
UPDATE tiers.paid_order SET member_id = :target::bigint WHERE tenant_id = :tenant AND member_id = :source::bigint
