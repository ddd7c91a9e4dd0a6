-- One person's days are one calendar. Where both have the same day or the same reward, the target's stands.
WITH days AS (
    DELETE FROM checkin.check_in WHERE tenant_id = :tenant AND member_id = :source RETURNING *
), rewards AS (
    DELETE FROM checkin.reward WHERE tenant_id = :tenant AND member_id = :source RETURNING *
), counts AS (
    DELETE FROM checkin.make_up WHERE tenant_id = :tenant AND member_id = :source
), purchases AS (
    UPDATE checkin.purchase SET member_id = :target WHERE tenant_id = :tenant AND member_id = :source
), united AS (
    INSERT INTO checkin.check_in (tenant_id, member_id, day, checked_at, make_up_month)
    SELECT :tenant, :target, day, checked_at, make_up_month FROM days
    ON CONFLICT DO NOTHING
)
INSERT INTO checkin.reward (tenant_id, member_id, day, step, kind, amount, item, state, merged)
SELECT :tenant, :target, day, step, kind, amount, item, state, true FROM rewards
ON CONFLICT DO NOTHING
