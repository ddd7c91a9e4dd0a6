INSERT INTO blindbox.declaration AS d (tenant_id, member_id, kind, text_version, declared_at)
VALUES (:tenant, :member::bigint, :kind::text, :version::text, core.now())
ON CONFLICT (tenant_id, member_id) DO UPDATE SET
    kind = excluded.kind, text_version = excluded.text_version, declared_at = excluded.declared_at
WHERE (d.kind, d.text_version) <> (excluded.kind, excluded.text_version)
