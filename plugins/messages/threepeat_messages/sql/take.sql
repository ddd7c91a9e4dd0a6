-- The key decides: what was taken before is not taken again.
INSERT INTO messages.message (tenant_id, member_id, plugin, kind, key, purpose, channel, state, reason, written,
    title, text, happened_at, until, created_at, settled_at)
SELECT :tenant, member_id, plugin, kind, key, purpose, channel, state, nullif(reason, ''), written::jsonb,
       title::jsonb, text::jsonb, happened_at, until, :now::timestamptz,
       CASE WHEN state <> 'queued' THEN :now::timestamptz END
FROM unnest(:members::bigint[], :plugins::text[], :kinds::text[], :keys::text[], :purposes::text[],
            :channels::text[], :states::text[], :reasons::text[], :written::text[], :titles::text[], :texts::text[],
            :happened::timestamptz[], :untils::timestamptz[])
     AS given (member_id, plugin, kind, key, purpose, channel, state, reason, written, title, text, happened_at,
               until)
ORDER BY member_id, plugin, kind, key
ON CONFLICT (tenant_id, member_id, plugin, kind, key) DO NOTHING
RETURNING id, member_id, plugin, kind, key
