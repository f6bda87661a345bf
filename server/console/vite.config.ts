import { defineConfig } from "vite";

// The server embeds dist/ and serves it under "default-src 'self'": no inline script, style or data URI may be produced.
export default defineConfig({
  base: "./",
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    sourcemap: false,
    chunkSizeWarningLimit: 600,
  },
  // `npm run dev` serves the page from source against a running server.
  server: { proxy: { "/api": "http://127.0.0.1:8400" } },
});
