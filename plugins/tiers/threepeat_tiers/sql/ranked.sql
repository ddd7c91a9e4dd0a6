-- How many of those who are reviewed on a day have growth in its window.
SELECT count(*) AS members FROM (
    SELECT FROM tiers.standing s JOIN tiers.day_growth d ON d.tenant_id = :tenant AND d.member_id = s.member_id
    WHERE s.tenant_id = :tenant AND s.review_on = :day::date AND s.member_id > 0
      AND d.day BETWEEN :first::date AND :last::date
    GROUP BY s.member_id HAVING sum(d.value) > 0
) m
