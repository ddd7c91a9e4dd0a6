SELECT id, member_id FROM messages.message
WHERE tenant_id = :tenant AND state = 'sent' AND purpose = 'marketing' AND NOT merged
  AND CASE WHEN quiet_from <= quiet_until THEN local_minute >= quiet_from AND local_minute < quiet_until
           ELSE local_minute >= quiet_from OR local_minute < quiet_until END
