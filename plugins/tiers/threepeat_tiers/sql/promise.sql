-- Which gifts are new: the key of member, occasion, tier, period and place decides.
INSERT INTO tiers.gift (tenant_id, member_id, occasion, level, period, number, kind, amount, item, decided_at)
SELECT :tenant, g.member_id, :occasion::text, g.level, g.period, g.number, g.kind, g.amount, g.item, core.now()
FROM unnest(:members::bigint[], :levels::bigint[], :periods::text[], :numbers::bigint[], :kinds::text[],
            :amounts::bigint[], :items::text[]) AS g (member_id, level, period, number, kind, amount, item)
ORDER BY g.member_id, g.level, g.period, g.number
ON CONFLICT DO NOTHING
RETURNING member_id, occasion, level, period, number, kind, amount, item, decided_at
