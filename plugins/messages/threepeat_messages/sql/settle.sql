-- What was decided; for marketing beside it what it was sent under, the local time read from the clock itself.
UPDATE messages.message m
SET state = g.state, reason = nullif(g.reason, ''), channel = g.channel, title = g.title::jsonb, text = g.text::jsonb,
    written = NULL,
    settled_at = core.now(), consent_at = g.consent_at, permission = g.permission,
    local_day = CASE WHEN g.capped THEN (core.now() AT TIME ZONE :zone::text)::date END,
    local_minute = CASE WHEN g.capped THEN
        extract(hour FROM core.now() AT TIME ZONE :zone::text)::bigint * 60
        + extract(minute FROM core.now() AT TIME ZONE :zone::text)::bigint END,
    quiet_from = CASE WHEN g.capped THEN :quiet_from::bigint END,
    quiet_until = CASE WHEN g.capped THEN :quiet_until::bigint END,
    per_day = CASE WHEN g.capped THEN :per_day::bigint END, per_week = CASE WHEN g.capped THEN :per_week::bigint END
FROM unnest(:ids::bigint[], :states::text[], :reasons::text[], :channels::text[], :titles::text[], :texts::text[],
            :consents::timestamptz[], :permissions::text[], :capped::boolean[])
     AS g (id, state, reason, channel, title, text, consent_at, permission, capped)
WHERE m.tenant_id = :tenant AND m.id = g.id AND m.state = 'queued'
RETURNING m.id
