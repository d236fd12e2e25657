import { defineConfig } from "vite";

// The names of what is built are fixed, and its folders are as the server's
// routes: the page refers to status/app.js from / and from /status alike.
export default defineConfig({
  base: "./",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    target: "es2022",
    modulePreload: false,
    assetsInlineLimit: 0,
    license: { fileName: "licenses.md" }, // of what is built in
    rollupOptions: {
      output: {
        entryFileNames: "status/app.js",
        assetFileNames: "status/app[extname]",
        codeSplitting: false,
      },
    },
  },
});
