// What of ECharts the console draws with; esbuild leaves out the rest.
import * as core from "echarts/core";
import { BarChart, FunnelChart, LineChart } from "echarts/charts";
import { AriaComponent, GridComponent, LegendComponent, TooltipComponent } from "echarts/components";
import { SVGRenderer } from "echarts/renderers";
import zh from "echarts/lib/i18n/langZH.js";

core.use([
  AriaComponent, BarChart, FunnelChart, GridComponent, LegendComponent, LineChart, SVGRenderer, TooltipComponent,
]);
core.registerLocale("ZH", zh);
globalThis.echarts = { init: core.init };
