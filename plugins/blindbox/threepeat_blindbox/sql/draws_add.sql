INSERT INTO blindbox.draw (tenant_id, series_id, draw_no, version, item, hidden, buyer, order_hash, ordinal,
                           misses_before, misses_after, body, hash, previous, signature, drawn_at)
SELECT :tenant, g.series_id, g.draw_no, g.version, g.item, g.hidden, g.buyer, g.order_hash, g.ordinal, g.before,
       g.after, g.body, g.hash, g.previous, g.signature, core.now()
FROM unnest(:series::bigint[], :numbers::bigint[], :versions::bigint[], :items::text[], :hidden::boolean[],
            :tags::text[], :orders::text[], :ordinals::bigint[], :befores::bigint[], :afters::bigint[],
            :bodies::text[], :hashes::text[], :previous::text[], :signatures::text[])
     AS g (series_id, draw_no, version, item, hidden, buyer, order_hash, ordinal, before, after, body, hash, previous,
           signature)
