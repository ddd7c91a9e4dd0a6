SELECT member_id, plugin, kind, left(key, 32) AS cause FROM messages.message
WHERE tenant_id = :tenant AND state = 'sent' AND NOT merged
GROUP BY 1, 2, 3, 4 HAVING count(*) > 1
