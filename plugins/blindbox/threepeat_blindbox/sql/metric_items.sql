SELECT d.series_id, d.version, s.name, v.body, jsonb_object_agg(d.item, d.drawn) AS drawn
FROM (SELECT series_id, version, item, count(*) AS drawn FROM blindbox.draw
      WHERE tenant_id = :tenant AND drawn_at >= :begin::timestamptz AND drawn_at < :end::timestamptz
      GROUP BY series_id, version, item) AS d
JOIN blindbox.series s ON s.tenant_id = :tenant AND s.id = d.series_id
JOIN blindbox.version v ON v.tenant_id = :tenant AND v.series_id = d.series_id AND v.number = d.version
GROUP BY d.series_id, d.version, s.name, v.body
ORDER BY d.series_id, d.version
