-- Draws and all that they change, in one statement: whoever else draws from the series waits meanwhile. Boxes, buyers
-- and series are locked, and with a series its stock. The order's nonce is the one that its first box was drawn with.
WITH drawn AS (
    SELECT * FROM unnest(:boxes::bigint[], :members::bigint[], :series::bigint[], :numbers::bigint[],
                         :versions::bigint[], :items::text[], :hidden::boolean[], :tags::text[], :orders::text[],
                         :nonces::text[], :derived::boolean[], :ordinals::bigint[], :befores::bigint[],
                         :afters::bigint[], :bodies::text[], :hashes::text[], :previous::text[], :signatures::text[])
         AS g (box, member_id, series_id, draw_no, version, item, hidden, buyer, order_hash, nonce, derived, ordinal,
               before, after, body, hash, previous, signature)
), receipts AS (
    INSERT INTO blindbox.draw (tenant_id, series_id, draw_no, version, item, hidden, buyer, order_hash, ordinal,
                               misses_before, misses_after, body, hash, previous, signature, drawn_at)
    SELECT :tenant, series_id, draw_no, version, item, hidden, buyer, order_hash, ordinal, before, after, body, hash,
           previous, signature, core.now()
    FROM drawn
), opened AS (
    UPDATE blindbox.box b
    SET state = 'opened', draw_no = g.draw_no, nonce = g.nonce, derived = g.derived, opened_at = core.now()
    FROM drawn g
    WHERE b.tenant_id = :tenant AND b.id = g.box AND b.state = 'waiting'
    RETURNING b.id
), taken AS (
    UPDATE blindbox.stock s SET taken = s.taken + g.pieces
    FROM (SELECT series_id, item, count(*) AS pieces FROM drawn GROUP BY series_id, item) AS g
    WHERE s.tenant_id = :tenant AND s.series_id = g.series_id AND s.item = g.item
      AND (s.put IS NULL OR s.taken + g.pieces <= s.put)
    RETURNING g.pieces
), stand AS (
    UPDATE blindbox.buyer b SET misses = g.misses
    FROM (SELECT DISTINCT ON (member_id, series_id) member_id, series_id, after AS misses FROM drawn
          ORDER BY member_id, series_id, draw_no DESC) AS g
    WHERE b.tenant_id = :tenant AND b.member_id = g.member_id AND b.series_id = g.series_id
), advanced AS (
    UPDATE blindbox.series s
    SET draws = g.draws, head = g.head, version = g.version, pool = g.pool, room = g.room, held = s.held - g.opened
    FROM unnest(:ids::bigint[], :draws::bigint[], :heads::text[], :currents::bigint[], :pools::text[],
                :rooms::bigint[], :opened::bigint[]) AS g (id, draws, head, version, pool, room, opened)
    WHERE s.tenant_id = :tenant AND s.id = g.id
)
SELECT (SELECT count(*) FROM opened) AS boxes, (SELECT sum(pieces) FROM taken) AS pieces
