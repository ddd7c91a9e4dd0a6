-- Whoever wants one more endpoint to be on waits here for others who do, also where the store has none yet.
SELECT pg_advisory_xact_lock(hashtextextended('webhooks.endpoint', :tenant::bigint)) AS mine
