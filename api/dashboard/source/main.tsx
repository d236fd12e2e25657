import { render } from "preact";

import "uplot/dist/uPlot.min.css";
import "./style/colors.css";
import "./style/page.css";
import "./style/parts.css";
import "./style/table.css";
import "./style/narrow.css";

import { App } from "./app";
import { Live, type Data } from "./live";

const said = document.querySelector<HTMLMetaElement>('meta[name="berry-data"]')?.content;
const live = new Live((said ?? "public") as Data);
const page = document.getElementById("page");
if (page) render(<App live={live} />, page);
live.start();
