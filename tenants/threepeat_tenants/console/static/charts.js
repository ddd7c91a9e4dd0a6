// Draws the charts of a page from the data that stands beside them. Without it the tables say the same.
"use strict";
(() => {
  const drawn = [];
  const dark = matchMedia("(prefers-color-scheme: dark)");

  const style = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const colours = () => ({
    ink: style("--ink"), soft: style("--soft"), line: style("--line"), paper: style("--paper"), raised: style("--raised"),
    lines: [1, 2, 3, 4, 5].map(number => style(`--chart-${number}`)),
  });

  const words = colour => ({ color: colour.soft, fontFamily: getComputedStyle(document.body).fontFamily, fontSize: 12 });

  // Tooltips are drawn, too: as HTML they would carry style attributes, which the page's policy keeps out.
  const tooltip = colour => ({
    renderMode: "richText", confine: true, backgroundColor: colour.raised, borderColor: colour.line, borderWidth: 1,
    textStyle: { ...words(colour), color: colour.ink },
  });

  const series = (data, colour, locale) => {
    const unit = new Intl.NumberFormat(locale, {
      style: data.style, currency: data.currency, notation: "compact", maximumFractionDigits: 1,
    });
    const many = data.lines.length > 1;
    return {
      tooltip: {
        ...tooltip(colour), trigger: "axis", axisPointer: { type: data.kind === "bar" ? "shadow" : "line" },
        formatter: points => [
          data.full[points[0].dataIndex],
          ...points.map(point => (many ? `${point.seriesName}: ` : "") + data.lines[point.seriesIndex].shown[point.dataIndex]),
        ].join("\n"),
      },
      legend: { show: many, bottom: 0, icon: "roundRect", itemWidth: 12, itemHeight: 8, textStyle: words(colour) },
      grid: { left: 4, right: 10, top: 12, bottom: many ? 32 : 4, containLabel: true },
      xAxis: {
        type: "category", data: data.days, boundaryGap: data.kind === "bar", axisTick: { show: false },
        axisLine: { lineStyle: { color: colour.line } }, axisLabel: { ...words(colour), hideOverlap: true },
      },
      yAxis: {
        type: "value", minInterval: data.style === "decimal" ? 1 : undefined, splitNumber: 3,
        splitLine: { lineStyle: { color: colour.line } },
        axisLabel: { ...words(colour), formatter: value => unit.format(value / data.divisor) },
      },
      series: data.lines.map((line, place) => ({
        name: line.name, type: data.kind, data: line.values, color: colour.lines[place % colour.lines.length],
        showSymbol: line.values.length < 2, lineStyle: { width: 2 }, barMaxWidth: 26, itemStyle: { borderRadius: [3, 3, 0, 0] },
      })),
    };
  };

  const funnel = (data, colour) => ({
    tooltip: { ...tooltip(colour), formatter: point => `${point.name}\n${data.steps[point.dataIndex].shown}` },
    series: [{
      type: "funnel", sort: "none", left: 0, right: 0, top: 4, bottom: 4, gap: 4, minSize: "28%", funnelAlign: "left",
      data: data.steps.map((step, place) => ({
        name: step.name, value: step.value, itemStyle: { color: colour.lines[0] + ["57", "47", "38", "2b", "21"][Math.min(place, 4)] },
      })),
      label: {
        position: "insideLeft", color: colour.ink, fontSize: 13, fontFamily: words(colour).fontFamily,
        formatter: point => `${point.name}  ${data.steps[point.dataIndex].shown}`,
      },
      itemStyle: { borderWidth: 0 }, emphasis: { label: { fontSize: 13 } },
    }],
  });

  const draw = figure => {
    const data = JSON.parse(document.getElementById(figure.dataset.chart).textContent);
    const locale = figure.dataset.locale;
    const chart = echarts.init(figure, null, { renderer: "svg", locale: locale === "zh-CN" ? "ZH" : "EN" });
    const show = () => {
      const colour = colours();
      const drawing = data.kind === "funnel" ? funnel(data, colour) : series(data, colour, locale);
      chart.setOption({ animation: false, aria: { enabled: true }, ...drawing }, true);
    };
    show();
    new ResizeObserver(() => chart.resize()).observe(figure);
    drawn.push(show);
  };

  // A figure is empty, and so not shown, until it is drawn; it needs its height before.
  for (const figure of document.querySelectorAll("[data-chart]")) {
    figure.classList.add("drawn");
    draw(figure);
  }
  dark.addEventListener("change", () => drawn.forEach(show => show()));
})();
