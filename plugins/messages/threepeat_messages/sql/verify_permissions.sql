-- A ledger that does not add up: what was granted is the taps, what was used is the messages.
WITH granted AS (
    SELECT member_id, template, sum(number) AS number FROM messages.permission_grant
    WHERE tenant_id = :tenant GROUP BY 1, 2
), used AS (
    SELECT member_id, permission AS template, count(*) AS number FROM messages.message
    WHERE tenant_id = :tenant AND permission IS NOT NULL AND state = 'sent' GROUP BY 1, 2
), ledger AS (
    SELECT member_id, template, granted, used FROM messages.permission WHERE tenant_id = :tenant
)
SELECT member_id, template FROM ledger
FULL JOIN granted g USING (member_id, template) FULL JOIN used u USING (member_id, template)
WHERE coalesce(ledger.granted, 0) <> coalesce(g.number, 0) OR coalesce(ledger.used, 0) <> coalesce(u.number, 0)
   OR coalesce(ledger.used, 0) > coalesce(ledger.granted, 0)
