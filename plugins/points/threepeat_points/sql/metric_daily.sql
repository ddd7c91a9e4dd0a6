-- What came in and went out by local day; what expires, on the last day on which it could be spent, whether or not it
-- was written off yet. Members who became one carry points over: that is neither, and nor is a debt paid.
SELECT (occurred_at AT TIME ZONE :timezone::text)::date AS day,
       CASE WHEN kind IN ('spent', 'returned') THEN kind WHEN expense < 0 THEN 'earned' ELSE 'reversed' END AS kind,
       abs(sum(liability + expense))::bigint AS points
FROM points.entry
WHERE tenant_id = :tenant AND occurred_at >= :since::timestamptz AND occurred_at < :until::timestamptz
  AND kind IN ('earned', 'granted', 'reversed', 'revoked', 'spent', 'returned')
GROUP BY 1, 2
UNION ALL
SELECT ((at - interval '1 microsecond') AT TIME ZONE :timezone::text)::date, 'expired', sum(points)::bigint FROM (
    SELECT occurred_at AS at, breakage AS points FROM points.entry
    WHERE tenant_id = :tenant AND kind = 'expired'
      AND occurred_at > :since::timestamptz AND occurred_at <= :over::timestamptz
    UNION ALL
    SELECT expires_at, remaining FROM points.lot
    WHERE tenant_id = :tenant AND remaining > 0
      AND expires_at > :since::timestamptz AND expires_at <= :over::timestamptz
) e
GROUP BY 1
