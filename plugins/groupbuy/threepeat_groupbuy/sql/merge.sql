-- One person's seats. Where both have an open group of a campaign, the source's counts beside the target's.
WITH seats AS (
    UPDATE groupbuy.seat s SET member_id = :target::bigint, merged = s.merged OR EXISTS (
        SELECT FROM groupbuy.seat o
        WHERE o.tenant_id = :tenant AND o.member_id = :target::bigint AND o.campaign_id = s.campaign_id
          AND o.state IN ('held', 'joined') AND NOT o.merged AND s.state IN ('held', 'joined')
    )
    WHERE s.tenant_id = :tenant AND s.member_id = :source::bigint
), refunds AS (
    UPDATE groupbuy.refund SET member_id = :target::bigint
    WHERE tenant_id = :tenant AND member_id = :source::bigint
)
UPDATE groupbuy.payback SET member_id = :target::bigint WHERE tenant_id = :tenant AND member_id = :source::bigint
