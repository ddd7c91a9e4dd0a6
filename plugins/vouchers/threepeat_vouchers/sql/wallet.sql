-- A member's vouchers of a kind, newest first. That one has expired is seen here: nothing marks it.
SELECT v.id, v.valid_from, v.valid_until, t.form,
       CASE WHEN v.state <> 'issued' THEN v.state WHEN v.valid_until <= core.now() THEN 'expired'
            WHEN v.valid_from > core.now() THEN 'coming' ELSE 'usable' END AS standing
FROM vouchers.voucher v JOIN vouchers.template t ON t.tenant_id = :tenant AND t.id = v.template_id
WHERE v.tenant_id = :tenant AND v.member_id = :member::bigint AND v.id < :before::bigint
  AND CASE :shelf::text
      WHEN 'usable' THEN v.state = 'locked' OR (v.state = 'issued' AND v.valid_until > core.now())
      WHEN 'used' THEN v.state IN ('used', 'returned')
      ELSE v.state = 'void' OR (v.state = 'issued' AND v.valid_until <= core.now()) END
ORDER BY v.id DESC LIMIT :most::bigint
