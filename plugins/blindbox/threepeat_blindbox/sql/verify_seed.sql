-- Series on sale without a commitment that every pool holds; seeds that are not the ones committed to, or known early.
SELECT s.id FROM blindbox.series s
WHERE s.tenant_id = :tenant AND s.state <> 'draft'
  AND (s.commitment = '' OR s.sealed = '' OR (s.seed IS NULL) <> (s.state <> 'closed')
       OR encode(sha256(decode(s.seed, 'hex')), 'hex') <> s.commitment
       OR NOT EXISTS (SELECT FROM blindbox.version v
                      WHERE v.tenant_id = :tenant AND v.series_id = s.id AND v.number = 1)
       OR EXISTS (SELECT FROM blindbox.version v
                  WHERE v.tenant_id = :tenant AND v.series_id = s.id
                    AND v.body::jsonb ->> 'commitment' <> s.commitment)
       OR EXISTS (SELECT FROM blindbox.draw d
                  JOIN blindbox.version v ON v.tenant_id = :tenant AND v.series_id = s.id AND v.number = 1
                  WHERE d.tenant_id = :tenant AND d.series_id = s.id AND d.drawn_at < v.published_at))
