"""Measures pyeryx in this process, through its public interface.

measure.py                  everything
measure.py memory TOOL      memory of sessions that stay; a process of its own, since a freed session leaves memory behind
"""

import pathlib
import statistics
import subprocess
import sys
import time

import eryx

HERE = pathlib.Path(__file__).parent
TRIVIAL = 'async def run(i):\n    return {"sum": i["a"] + i["b"]}\n'
TOOL = (HERE / "tool.py").read_text()
TOOLS = {
    "trivial": (TRIVIAL, 'result = await run({"a": 1, "b": 2})\n', {"sum": 3}),
    "tool": (
        TOOL,
        'result = await run({"text": "the quick fox and the lazy dog", "top": 5})\n',
        {
            "total": 7,
            "longest": "quick",
            "top": [
                {"word": word, "count": count, "share": share}
                for word, count, share in [
                    ("the", 2, 0.286),
                    ("and", 1, 0.143),
                    ("dog", 1, 0.143),
                    ("fox", 1, 0.143),
                    ("lazy", 1, 0.143),
                ]
            ],
        },
    ),
}
SEQUENTIAL = "s = 0\nfor k in range(100):\n    s += (await it(k=k))['k']\nresult = s\n"
GATHER = "import asyncio\nresult = len(await asyncio.gather(*[it(k=k) for k in range(100)]))\n"

host_calls = 0


def it(k: int):
    global host_calls
    host_calls += 1
    return {"k": k}


CALLBACKS = [{"name": "it", "fn": it, "description": "Answers with its input"}]


def figure(name, value, unit):
    print(f"figure pyeryx_{name} {value:.{1 if value < 100 else 0}f} {unit}", flush=True)


def checked(result, expected):
    if result.result != expected:
        raise SystemExit(f"{result.result!r} instead of {expected!r}")


def measure(name, rounds, work, parts=1):
    for k in range(max(1, rounds // 10)):
        work(-1 - k)
    times = []
    processor = time.process_time()
    for k in range(rounds):
        begun = time.perf_counter()
        work(k)
        times.append((time.perf_counter() - begun) * 1e6 / parts)
    processor = time.process_time() - processor
    figure(f"{name}_p50_us", statistics.median(times), "us")
    figure(f"{name}_processor_us", processor * 1e6 / rounds / parts, "us")


def resident_kib():
    for line in open("/proc/self/status"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1])


def session(text, call, expected):
    session = eryx.Session(callbacks=CALLBACKS)
    checked(session.execute(text + call), expected)
    return session


def memory(name):
    text, call, expected = TOOLS[name]
    kept = [session(text, call, expected)]
    before = resident_kib()
    kept += [session(f"{text}# {k}\n", call, expected) for k in range(200)]
    figure(f"memory_per_{name}_kib", (resident_kib() - before) / 200, "KiB")


if sys.argv[1:2] == ["memory"]:
    memory(sys.argv[2])
    sys.exit()

begun = time.perf_counter()
session(*TOOLS["trivial"])
figure("first_session_to_first_result_ms", (time.perf_counter() - begun) * 1e3, "ms")
figure("process_resident_mb", resident_kib() / 1024, "MB")
for name in TOOLS:
    subprocess.run([sys.executable, __file__, "memory", name], check=True)

# A new session: the tool's text and the first call.
for name, (text, call, expected) in TOOLS.items():
    measure(f"session_to_first_result_{name}", 200, lambda k: session(f"{text}# {k}\n", call, expected))

# A call in a session that keeps its state.
for name, (text, call, expected) in TOOLS.items():
    kept = session(text, call, expected)
    measure(f"call_{name}", 2000, lambda _: checked(kept.execute(call), expected))

# A call in isolation, the tool's text evaluated each time.
for name, (text, call, expected) in TOOLS.items():
    sandbox = eryx.Sandbox(callbacks=CALLBACKS)
    measure(f"call_fresh_{name}", 300, lambda _: checked(sandbox.execute(text + call), expected))

# A call in isolation of a tool that is part of a snapshot. Making one takes long: two, of which the second counts.
text, call, expected = TOOLS["tool"]
factories = []
for k in range(2):
    before = resident_kib()
    begun = time.perf_counter()
    # Another text each time, as another agent would write it.
    factories.append(eryx.SandboxFactory(setup_code=f"{text}# {k}\n", callbacks=CALLBACKS))
    checked(factories[k].create_sandbox().execute(call), expected)
figure("snapshot_to_first_result_tool_ms", (time.perf_counter() - begun) * 1e3, "ms")
figure("memory_per_snapshot_tool_mb", (resident_kib() - before) / 1024, "MB")
measure("call_snapshot_tool", 300, lambda _: checked(factories[1].create_sandbox().execute(call), expected))

# A host call: each of 100 in a call of a session that keeps its state.
for name, code, expected in [("sequential", SEQUENTIAL, 4950), ("gather", GATHER, 100)]:
    kept = session(*TOOLS["trivial"])
    host_calls = 0
    measure(f"host_call_{name}", 200, lambda _: checked(kept.execute(code), expected), parts=100)
    if host_calls != 220 * 100:
        raise SystemExit(f"{host_calls} host calls")
