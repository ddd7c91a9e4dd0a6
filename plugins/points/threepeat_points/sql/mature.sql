-- Write down what time has done to the lots of some members: what waited long enough is unlocked, what is too old
-- expires, by the moment at which it was due. A lot that expired before it was unlocked goes straight.
WITH due AS (
    SELECT id, member_id, remaining, unlocks_at, expires_at, waiting,
           waiting AND unlocks_at <= core.now() AND (expires_at IS NULL OR unlocks_at < expires_at) AS unlocks,
           coalesce(expires_at <= core.now(), false) AS expires
    FROM points.lot
    WHERE tenant_id = :tenant AND member_id = ANY(:members::bigint[]) AND remaining > 0
      AND (expires_at <= core.now() OR (waiting AND unlocks_at <= core.now()))
), changed AS (
    UPDATE points.lot l
    SET waiting = l.waiting AND NOT d.unlocks,
        expired = l.expired + CASE WHEN d.expires THEN l.remaining ELSE 0 END,
        remaining = CASE WHEN d.expires THEN 0 ELSE l.remaining END
    FROM due d WHERE l.tenant_id = :tenant AND l.member_id = d.member_id AND l.id = d.id
), unlocked AS (
    INSERT INTO points.entry (tenant_id, member_id, reference, kind, points, occurred_at, available, pending)
    SELECT :tenant, member_id, 'unlock:' || id, 'unlocked', 0, unlocks_at, remaining, -remaining
    FROM due WHERE unlocks ORDER BY id
), expired AS (
    INSERT INTO points.entry (tenant_id, member_id, reference, kind, points, occurred_at, available, pending, breakage)
    SELECT :tenant, member_id, 'expire:' || id || ':' || extract(epoch FROM expires_at)::bigint, 'expired', -remaining,
           expires_at, CASE WHEN waiting AND NOT unlocks THEN 0 ELSE -remaining END,
           CASE WHEN waiting AND NOT unlocks THEN -remaining ELSE 0 END, remaining
    FROM due WHERE expires ORDER BY id
)
SELECT member_id, coalesce(sum(remaining) FILTER (WHERE unlocks), 0)::bigint AS unlocked,
       min(id) FILTER (WHERE unlocks) AS first_lot
FROM due GROUP BY member_id ORDER BY member_id
