-- Marketing that was sent under a consent which was known to have been taken back.
SELECT m.id, m.member_id FROM messages.message m
JOIN messages.refusal r ON r.tenant_id = :tenant AND r.member_id = m.member_id
  AND r.purpose IN ('marketing', 'marketing.' || m.channel)
WHERE m.tenant_id = :tenant AND m.state = 'sent' AND m.purpose = 'marketing' AND NOT m.merged
  AND (m.consent_at IS NULL OR r.given_at > m.consent_at) AND r.noted_at < m.settled_at
