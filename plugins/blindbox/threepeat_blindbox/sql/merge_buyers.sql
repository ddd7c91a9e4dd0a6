-- Of two runs in a series the longer one goes on, under the name that its receipts have.
WITH gone AS (
    DELETE FROM blindbox.buyer WHERE tenant_id = :tenant AND member_id = :source
    RETURNING series_id, tag, salt, misses
)
INSERT INTO blindbox.buyer AS b (tenant_id, member_id, series_id, tag, salt, misses)
SELECT :tenant, :target, series_id, tag, salt, misses FROM gone
ON CONFLICT (tenant_id, member_id, series_id) DO UPDATE SET
    tag = excluded.tag, salt = excluded.salt, misses = excluded.misses
WHERE excluded.misses > b.misses
