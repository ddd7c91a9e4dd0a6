-- Quotes that nobody held for a day, and those that were held and not paid for long; `most` of them.
WITH gone AS (
    SELECT id FROM checkout.quote
    WHERE tenant_id = :tenant AND state IN ('quoted', 'released')
      AND changed_at <= core.now() - CASE WHEN times = 0 THEN interval '1 day' ELSE interval '90 days' END
    ORDER BY changed_at LIMIT :most::bigint FOR UPDATE SKIP LOCKED
), parts AS (
    DELETE FROM checkout.taken t USING gone g WHERE t.tenant_id = :tenant AND t.quote_id = g.id
)
DELETE FROM checkout.quote q USING gone g WHERE q.tenant_id = :tenant AND q.id = g.id
RETURNING q.id
