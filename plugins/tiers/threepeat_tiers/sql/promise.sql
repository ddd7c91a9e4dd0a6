-- Which gifts are new: the key of member, occasion, tier, period and place decides.
INSERT INTO tiers.gift (tenant_id, member_id, occasion, level, period, number, kind, amount, item, paid,
                        decided_at)
SELECT :tenant, g.member_id, :occasion::text, g.level, g.period, g.number, g.kind, g.amount, g.item,
       g.paid, core.now()
FROM unnest(:members::bigint[], :levels::bigint[], :periods::text[], :numbers::bigint[], :kinds::text[],
            :amounts::bigint[], :items::text[], :paid::boolean[])
    AS g (member_id, level, period, number, kind, amount, item, paid)
ORDER BY g.member_id, g.level, g.period, g.number
ON CONFLICT DO NOTHING
RETURNING member_id, occasion, level, period, number, kind, amount, item, paid, decided_at
