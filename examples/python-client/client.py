#!/usr/bin/env python3
"""A client of the call protocol over a Unix socket, in Python's standard library: client.py SOCKET TOKEN_FILE

Lists, calls, subscribes, aborts and publishes at a host, and serves it an operation. See README.md.
"""

import itertools
import json
import queue
import socket
import struct
import sys
import threading

TIMEOUT = 30  # seconds that anything is waited for


class CallError(Exception):
    """What a call failed with: `code` is for programs, the text for people."""

    def __init__(self, code, message, **_):
        super().__init__(f"{code}: {message}")
        self.code = code


class Link:
    """One connection. Frames of both directions share its one stream; ids tell the calls apart."""

    def __init__(self, path, token):
        self.token, self.ids, self.writing = token, itertools.count(1), threading.Lock()
        self.waiting, self.served = {}, {}
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        threading.Thread(target=self.read, daemon=True).start()

    def send(self, event, call, payload):
        body = json.dumps({"type": event, "id": call, "payload": payload}).encode()
        with self.writing:  # a frame is written whole, or others would come between
            self.socket.sendall(struct.pack(">I", len(body)) + body)

    def read(self):
        """Takes frames until the host closes the connection; then nothing more can come."""
        with self.socket.makefile("rb") as stream:
            while len(header := stream.read(4)) == 4:
                self.take(json.loads(stream.read(*struct.unpack(">I", header))))
        for answers in list(self.waiting.values()):
            answers.put(("call.error", {"code": "INTERNAL", "message": "connection closed"}))

    def take(self, frame):
        event, call, payload = frame["type"], frame["id"], frame["payload"]
        if event == "call.requested":
            threading.Thread(target=self.answer, args=(call, payload), daemon=True).start()
        elif call in self.waiting and event in ("call.responded", "call.error", "call.completed"):
            self.waiting[call].put((event, payload))

    def answer(self, call, payload):
        """Runs an operation of ours that the host asked for."""
        name = payload.get("operationId", "").removeprefix("/")
        try:
            if name not in self.served:
                raise CallError("NOT_FOUND", f"operation not found: {name}")
            self.send("call.responded", call, {"output": self.served[name](payload.get("input"))})
        except CallError as error:
            self.send("call.error", call, {"code": error.code, "message": str(error), "retryable": False})

    def request(self, name, value):
        call = f"py{next(self.ids)}"
        self.waiting[call] = queue.Queue()
        request = {"operationId": f"/{name}", "input": value, "auth_token": self.token}
        self.send("call.requested", call, request)
        return call

    def next(self, call):
        """The next answer to a call, or None at the end of a subscription."""
        event, payload = self.waiting[call].get(timeout=TIMEOUT)
        if event == "call.responded":
            return payload.get("output")
        if event == "call.error":
            raise CallError(**payload)
        return None

    def call(self, name, value):
        call = self.request(name, value)
        try:
            return self.next(call)
        finally:
            del self.waiting[call]

    def publish(self, name, value, chunks):
        call = self.request(name, value)
        for chunk in chunks:
            self.send("call.published", call, {"input": chunk})
        self.send("call.completed", call, {})
        return self.next(call)

    def items(self, call):
        while (item := self.next(call)) is not None:
            yield item

    def serve(self, spec, operation):
        """Announces an operation that this program runs whenever the host asks for it."""
        self.served[spec["name"]] = operation
        return self.call("op/register", {"spec": spec, "replace": True})


def main(path, token_file):
    with open(token_file, encoding="utf-8") as file:
        link = Link(path, file.read().strip())

    listed = link.call("services/list", {})["operations"]
    print("lists:", ", ".join(operation["name"] for operation in listed))
    print("calls: the host's clock says", link.call("time/now", {})["rfc3339"])
    try:
        link.call("no/such", {})
    except CallError as error:
        print("calls what is not there:", error)

    ticks = link.request("time/ticks", {"every_ms": 20, "count": 3})
    print("subscribes: ticks", *(tick["tick"] for tick in link.items(ticks)))
    endless = link.request("time/ticks", {"every_ms": 10})
    print("subscribes without an end: tick", link.next(endless)["tick"])
    link.send("call.aborted", endless, {})
    link.call("time/now", {})  # whatever comes behind this answer was sent after the abort
    link.waiting[endless] = queue.Queue()
    list(link.items(link.request("time/ticks", {"every_ms": 10, "count": 5})))
    assert link.waiting[endless].empty(), "an aborted subscription went on"
    print("aborts: no further tick comes")

    pairs = [{"key": f"python/{n}", "value": n * n} for n in range(5)]
    print("publishes:", link.publish("kv/import", {}, pairs)["written"], "values were written")

    schema = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}
    spec = {"name": "python/shout", "op_type": "query", "input_schema": schema}
    print("announces:", link.serve(spec, lambda value: {"text": value["text"].upper()})["name"])
    session = link.call("session/open", {"env": ["python/shout"]})["session"]
    source = "export default async (input, env) => env.python.shout(input);"
    script = {"language": "javascript", "source": source, "input": {"text": "hello"}}
    ran = link.call("session/run", {"session": session, **script})
    print("serves: a tool on the host got", ran["output"]["text"])
    link.call("session/close", {"session": session})


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except (CallError, OSError, AssertionError, queue.Empty) as error:
        sys.exit(f"failed: {error!r}")
