// Measures dynamic workers of workerd from outside, over HTTP on loopback: node measure.mjs WORKERD_BINARY
//
// The clock inside workerd has steps of a millisecond, so the clock is here. A request does many operations one after
// the other; of its time an empty request's is taken off, and the rest divided. A p50 is that of such batches.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import http from "node:http";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

const binary = process.argv[2];
const here = dirname(fileURLToPath(import.meta.url));
const INPUT = { trivial: { a: 1, b: 2 }, tool: { text: "the quick fox and the lazy dog", top: 5 }, each: 100, all: 100 };
const RESULT = { trivial: '{"sum":3}', each: "4950", all: "100" };
RESULT.tool =
  '{"total":7,"longest":"quick","top":[{"word":"the","count":2,"share":0.286},{"word":"and","count":1,"share":0.143},' +
  '{"word":"dog","count":1,"share":0.143},{"word":"fox","count":1,"share":0.143},{"word":"lazy","count":1,"share":0.143}]}';

const children = [];
process.on("exit", () => children.forEach((child) => child.kill("SIGKILL")));
process.on("uncaughtException", (error) => {
  console.error(error.message);
  process.exit(1);
});

async function start() {
  const child = spawn(binary, ["serve", "config.capnp", "--experimental", "--control-fd=3"], {
    cwd: here,
    stdio: ["ignore", "inherit", "inherit", "pipe"],
  });
  children.push(child);
  const port = await new Promise((done, failed) => {
    child.on("exit", (status) => failed(new Error(`workerd ended with ${status}`)));
    let text = "";
    child.stdio[3].on("data", (part) => {
      text += part;
      const line = text.split("\n").find((line) => line.includes('"listen"'));
      if (line) done(JSON.parse(line).port);
    });
  });
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const ask = (path, tool) =>
    new Promise((done, failed) => {
      const options = { host: "127.0.0.1", port, path, agent, method: tool ? "POST" : "GET" };
      const request = http.request(options, (response) => {
        let text = "";
        response.on("data", (part) => (text += part));
        response.on("end", () => {
          if (response.statusCode !== 200) return failed(new Error(`${path}: ${response.statusCode} ${text}`));
          const answer = JSON.parse(text);
          const result = JSON.stringify(answer.result);
          if (tool && result !== RESULT[tool]) return failed(new Error(`${path}: ${result}`));
          done(answer);
        });
      });
      request.on("error", failed);
      request.end(tool ? JSON.stringify(INPUT[tool]) : undefined);
    });
  return {
    ask,
    resident: () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))[1]),
    // Processor time of all threads, in microseconds; the kernel counts in hundredths of a second.
    processor: () => {
      const fields = readFileSync(`/proc/${child.pid}/stat`, "utf8").split(") ")[1].split(" ");
      return (Number(fields[11]) + Number(fields[12])) * 10_000;
    },
    stop: () => {
      agent.destroy();
      child.removeAllListeners("exit");
      child.kill("SIGKILL");
    },
  };
}

async function timed(work) {
  const begun = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - begun) / 1000;
}

function p50(times) {
  return times.sort((a, b) => a - b)[times.length >> 1];
}

function figure(name, value, unit) {
  console.log(`figure workerd_${name} ${value.toFixed(value < 100 ? 1 : 0)} ${unit}`);
}

// `rounds` requests of `batch` operations of `parts` each; `path` gets the number of the batch.
async function batches(name, server, path, tool, rounds, batch, parts = 1) {
  const empty = [];
  const times = [];
  for (let k = 0; k < rounds / 10; k++) await server.ask(path(-1 - k), tool);
  const before = server.processor();
  for (let k = 0; k < rounds; k++) times.push(await timed(() => server.ask(path(k), tool)));
  const processor = server.processor() - before;
  for (let k = 0; k < rounds; k++) empty.push(await timed(() => server.ask("/empty")));
  figure(`${name}_p50_us`, (p50(times) - p50(empty)) / batch / parts, "us");
  figure(`${name}_processor_us`, processor / rounds / batch / parts, "us");
}

// The process, and memory of tools that stay loaded. A process for each kind of tool.
const TOOLS = 200;
for (const tool of ["trivial", "tool"]) {
  const begun = process.hrtime.bigint();
  const server = await start();
  await server.ask("/keep?tool=trivial&from=-1&n=1", "trivial");
  if (tool === "trivial") figure("process_start_to_first_result_ms", Number(process.hrtime.bigint() - begun) / 1e6, "ms");
  await server.ask(`/keep?tool=${tool}&from=-2&n=1`, tool);
  const before = server.resident();
  if (tool === "trivial") figure("process_resident_mb", before / 1024, "MB");
  for (let k = 0; k < TOOLS; k += 10) await server.ask(`/keep?tool=${tool}&from=${k}&n=10`, tool);
  const grown = server.resident() - before;
  figure(`memory_per_${tool}_kib`, grown / TOOLS, "KiB");
  const { loads } = await server.ask(`/keep?tool=${tool}&from=0&n=${TOOLS}`, tool);
  if (loads) console.log(`note: ${loads} of ${TOOLS} tools were no longer loaded when they were called again`);
  server.stop();
}

const server = await start();
for (const tool of ["trivial", "tool"]) {
  await batches(`load_to_first_result_${tool}`, server, (k) => `/fresh?tool=${tool}&from=${k * 10}&n=10`, tool, 40, 10);
}
for (const tool of ["trivial", "tool"]) {
  await batches(`call_${tool}`, server, () => `/call?tool=${tool}&n=200`, tool, 100, 200);
}
await batches("host_call_sequential", server, () => "/call?tool=each&n=5", "each", 100, 5, 100);
await batches("host_call_promise_all", server, () => "/call?tool=all&n=5", "all", 100, 5, 100);
const times = [];
for (let k = 0; k < 2000; k++) times.push(await timed(() => server.ask("/call?tool=trivial&n=1", "trivial")));
figure("call_trivial_over_http_p50_us", p50(times), "us");
server.stop();
