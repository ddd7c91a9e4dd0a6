-- The first save makes the row; a revision says which one the merchant saw.
INSERT INTO messages.template AS t (tenant_id, plugin, kind, enabled, channel, text_zh, text_en, revision, changed_at)
SELECT :tenant, :plugin::text, :kind::text, :enabled::boolean, :channel::text, :text_zh::text, :text_en::text, 2,
       core.now()
WHERE :revision::bigint = 1 OR EXISTS (
    SELECT FROM messages.template WHERE tenant_id = :tenant AND plugin = :plugin::text AND kind = :kind::text)
ON CONFLICT (tenant_id, plugin, kind) DO UPDATE
SET enabled = excluded.enabled, channel = excluded.channel, text_zh = excluded.text_zh, text_en = excluded.text_en,
    revision = t.revision + 1, changed_at = excluded.changed_at
WHERE t.revision = :revision::bigint
RETURNING revision
