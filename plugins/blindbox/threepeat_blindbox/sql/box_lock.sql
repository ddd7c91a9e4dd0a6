-- A member's box, and whether the member confirmed the text as it is now.
SELECT b.id, b.state, EXISTS (SELECT FROM blindbox.declaration d
                              WHERE d.tenant_id = :tenant AND d.member_id = b.member_id
                                AND d.text_version = :text::text) AS declared
FROM blindbox.box b
WHERE b.tenant_id = :tenant AND b.id = :id::bigint AND b.member_id = :member::bigint FOR NO KEY UPDATE OF b
