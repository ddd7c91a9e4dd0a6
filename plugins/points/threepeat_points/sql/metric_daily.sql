-- What came in and went out by local day. Members who became one carry points over: that is neither.
SELECT (occurred_at AT TIME ZONE :timezone::text)::date AS day,
       CASE WHEN kind = 'spent' THEN 'spent' WHEN points > 0 THEN 'earned' ELSE 'reversed' END AS kind,
       abs(sum(points))::bigint AS points
FROM points.entry
WHERE tenant_id = :tenant AND occurred_at >= :since::timestamptz AND occurred_at < :until::timestamptz
  AND kind <> 'merged'
GROUP BY 1, 2
UNION ALL
SELECT (expires_at AT TIME ZONE :timezone::text)::date, 'expired', sum(remaining)::bigint
FROM points.lot
WHERE tenant_id = :tenant AND expires_at >= :since::timestamptz
  AND expires_at < :over::timestamptz AND remaining > 0
GROUP BY 1
