// tries: to find a way out among the names that other engines have.
// expect: output {"escaped":false}

export default async function () {
  const names = ['process', 'require', 'module', 'fetch', 'Deno', 'Bun', 'WebAssembly', 'os', 'std', 'bjson',
    'scriptArgs', 'print', 'load', 'read', 'readFile', 'importScripts', 'Worker', 'XMLHttpRequest', 'WebSocket',
    'navigator', 'window', 'document', 'global', 'gc', 'alk', 'env', 'invoke', '__loadScript', 'Java', 'java'];
  const found = names.filter((name) => name in globalThis);
  return { escaped: found.length > 0 };
}
