-- One person has one wallet. What either took counts toward the limits; of the day only if both took on the same.
WITH vouchers AS (
    UPDATE vouchers.voucher SET member_id = :target WHERE tenant_id = :tenant AND member_id = :source
), redemptions AS (
    UPDATE vouchers.redemption SET member_id = :target WHERE tenant_id = :tenant AND member_id = :source
), guesses AS (
    DELETE FROM vouchers.guess WHERE tenant_id = :tenant AND member_id = :source RETURNING since, tries
), joined AS (
    INSERT INTO vouchers.guess AS g (tenant_id, member_id, since, tries)
    SELECT :tenant, :target, since, tries FROM guesses
    ON CONFLICT (tenant_id, member_id) DO UPDATE SET
        since = greatest(g.since, excluded.since), tries = greatest(g.tries, excluded.tries)
), taken AS (
    DELETE FROM vouchers.taking WHERE tenant_id = :tenant AND member_id = :source RETURNING *
)
INSERT INTO vouchers.taking AS k (tenant_id, member_id, template_id, taken, day, today)
SELECT :tenant, :target, template_id, taken, day, today FROM taken
ON CONFLICT (tenant_id, member_id, template_id) DO UPDATE SET
    taken = k.taken + excluded.taken, day = greatest(k.day, excluded.day),
    today = CASE WHEN k.day = excluded.day THEN k.today + excluded.today
                 WHEN k.day > excluded.day THEN k.today ELSE excluded.today END
