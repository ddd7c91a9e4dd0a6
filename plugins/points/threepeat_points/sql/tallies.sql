SELECT member_id, day, times FROM points.tally
WHERE tenant_id = :tenant AND member_id = ANY(:members::bigint[]) AND day = ANY(:days::date[]) AND event = :event::text
