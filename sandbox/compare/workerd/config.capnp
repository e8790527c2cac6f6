using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(name = "main", worker = (
    modules = [(name = "parent.js", esModule = embed "parent.js")],
    compatibilityDate = "2026-01-01",
    bindings = [
      (name = "LOADER", workerLoader = ()),
      (name = "trivial", text = embed "trivial.js"),
      (name = "tool", text = embed "tool.js"),
      (name = "each", text = embed "each.js"),
      (name = "all", text = embed "all.js"),
    ],
  ))],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
