import { defineConfig } from "vite";

// The server's content policy allows nothing inline and nothing from elsewhere.
export default defineConfig({
  base: "./",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: { outDir: "dist", assetsDir: "static", assetsInlineLimit: 0, modulePreload: { polyfill: false }, sourcemap: false, license: { fileName: "static/licenses.md" } },
  server: { proxy: { "/v1": { target: "http://127.0.0.1:8080", ws: true }, "/whip": "http://127.0.0.1:8080" } },
});
