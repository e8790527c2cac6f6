// tries: to pass its own error off as the engine's words for no memory.
// expect: error LIMIT_EXCEEDED memory_bytes

export default async function () {
  throw new InternalError('out of memory');
}
