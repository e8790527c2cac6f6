// The host: loads tools as dynamic workers, calls them, and answers their host calls with their input.
import { WorkerEntrypoint } from "cloudflare:workers";

export class Host extends WorkerEntrypoint {
  it(input) {
    return input;
  }
}

// What makes a worker of a tool.
const MAIN = `import { WorkerEntrypoint } from "cloudflare:workers";
import tool from "./tool.js";
export default class extends WorkerEntrypoint {
  async run(input) { return tool(input, this.env) }
}`;

function code(text, mark, ctx) {
  return {
    compatibilityDate: "2026-01-01",
    mainModule: "main.js",
    // Another text each time, as another agent would write it.
    modules: { "main.js": MAIN, "tool.js": `${text}\n// ${mark}\n` },
    env: { HOST: ctx.exports.Host({}) },
    globalOutbound: null,
  };
}

export default {
  async fetch(request, env, ctx) {
    const at = new URL(request.url);
    const name = at.searchParams.get("tool");
    const n = Number(at.searchParams.get("n"));
    const from = Number(at.searchParams.get("from"));
    const input = request.method === "POST" ? await request.json() : null;
    let result = null;
    let loads = 0;
    const kept = (mark) =>
      env.LOADER.get(`${name}-${mark}`, () => {
        loads++;
        return code(env[name], mark, ctx);
      }).getEntrypoint();
    switch (at.pathname) {
      case "/empty":
        break;
      // `n` tools that were never seen, one after the other: load, call once, drop.
      case "/fresh":
        for (let k = from; k < from + n; k++)
          result = await env.LOADER.load(code(env[name], k, ctx)).getEntrypoint().run(input);
        break;
      // `n` tools that stay loaded, each called once.
      case "/keep":
        for (let k = from; k < from + n; k++) result = await kept(k).run(input);
        break;
      // `n` calls of one loaded tool, one after the other.
      case "/call": {
        const tool = kept("called");
        for (let k = 0; k < n; k++) result = await tool.run(input);
        break;
      }
    }
    return Response.json({ result, loads });
  },
};
