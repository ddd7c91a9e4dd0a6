-- Which of these references stand in the journal.
SELECT reference FROM points.entry WHERE tenant_id = :tenant AND reference = ANY(:references::text[])
