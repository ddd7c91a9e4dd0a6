-- The order's nonce is the one that its first box was drawn with.
UPDATE blindbox.box b
SET state = 'opened', draw_no = g.draw_no, nonce = g.nonce, derived = g.derived, opened_at = core.now()
FROM unnest(:ids::bigint[], :numbers::bigint[], :nonces::text[], :derived::boolean[]) AS g (id, draw_no, nonce, derived)
WHERE b.tenant_id = :tenant AND b.id = g.id AND b.state = 'waiting'
RETURNING b.id
