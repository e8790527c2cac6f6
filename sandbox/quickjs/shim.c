// One JavaScript tool in one WebAssembly instance: the whole of what the host and quickjs-ng say to each other.
//
// quickjs.c is included, not linked, because what is in guest/ needs its internals: to reseed Math.random, to take
// the code compiler away before the tool runs, to read errors without running the tool's getters, to drive generators.
// Nothing here looks up a name the tool can redefine: JSON, promises and error classes are reached through C.
// The ABI is described in README.md.

#include <stddef.h>
extern size_t malloc_usable_size(void *);
#include "quickjs.c"
#include "libc_tail.h"

#define EXPORT(name) __attribute__((export_name("alk_" #name), used))
#define IMPORT(name) __attribute__((import_module("alk"), import_name(#name))) extern

// Queues a host call; 0 = queued, otherwise the name is not valid Unicode.
IMPORT(call) int32_t host_call(uint32_t id, const char *name, uint32_t name_len, const char *input, uint32_t input_len);
IMPORT(log) void host_log(uint32_t level, const char *text, uint32_t len);
// Arms a timer; 0 = armed, otherwise there are too many.
IMPORT(timer) int32_t host_timer(uint32_t id, uint32_t ms);
// The host never settles that call or timer.
IMPORT(cancel) void host_cancel(uint32_t id);
// Fills `bytes`; 0 = done.
IMPORT(random) int32_t host_random(uint8_t *bytes, uint32_t len);

enum status { OK = 0, ERR = 1, PENDING = 2, STALLED = 3, STREAM = 4, END = 5 };
#define PROTOCOL (-1)                       // the host broke the protocol

#define IN_BYTES (64 * 1024)
#define MESSAGE_UNITS_MAX 8192
#define STACK_UNITS_MAX 16384
// No file of a tool can be called that.
#define LIBRARY_FILE "<library>"
#define GC_THRESHOLD_BYTES (4 * 1024 * 1024)

// Read and written by the host at a fixed address; the order of the fields is ABI.
static struct {
    uint32_t in_ptr, in_cap, out_ptr, out_len;
} io;
static char in_fixed[IN_BYTES + 1];

static JSRuntime *rt;
static JSContext *cx;
static JSValue tool;                        // the entry module's default export
static JSValue env;                         // what it gets as second argument
static JSValue result;                      // promise of the call, or of the item, in flight
static JSValue stream;                      // the generator the call returned
static JSValue attach;                      // links a call to its abort signal
static JSValue unhandled;                   // a promise rejected while nothing handled it
static JSValue call_error_proto, operation_error_proto;
static const char *out_text;
static bool out_of_memory;                  // an allocation failed since the current entry
static bool loading;                        // the module's top level runs: there is no call
static int64_t started_ms;                  // when the call began

// ---- memory: the limit is the instance's linear memory, so failing malloc is the only signal ----

static void *note(void *p) { if (!p) out_of_memory = true; return p; }
static void *mem_calloc(void *o, size_t n, size_t size) { (void)o; return note(calloc(n, size)); }
static void *mem_malloc(void *o, size_t size) { (void)o; return note(malloc(size)); }
static void mem_free(void *o, void *p) { (void)o; free(p); }
static void *mem_realloc(void *o, void *p, size_t size) { (void)o; void *q = realloc(p, size); return size ? note(q) : q; }
static size_t mem_usable(const void *p) { return p ? malloc_usable_size((void *)p) : 0; }
static const JSMallocFunctions memory = { mem_calloc, mem_malloc, mem_free, mem_realloc, mem_usable };

#include "guest/output.h"
#include "guest/errors.h"
#include "guest/calls.h"
#include "guest/env.h"
#include "guest/console.h"
#include "guest/natives.h"
#include "guest/run.h"
#include "guest/modules.h"

// ---- the base image ----

static JSValue prototype_of(JSValueConst global, const char *name)
{
    JSValue type = JS_GetPropertyStr(cx, global, name);
    JSValue proto = JS_GetPropertyStr(cx, type, "prototype");
    JS_FreeValue(cx, type);
    return proto;
}

EXPORT(io) uint32_t alk_io(void) { return (uint32_t)(uintptr_t)&io; }

EXPORT(init) int32_t alk_init(uint32_t stack_bytes)
{
    io.in_ptr = (uint32_t)(uintptr_t)in_fixed;
    io.in_cap = IN_BYTES;
    tool = env = result = stream = attach = unhandled = call_error_proto = operation_error_proto = JS_UNDEFINED;
    loading = true;
    rt = JS_NewRuntime2(&memory, NULL);
    if (!rt) return ERR;
    JS_SetMaxStackSize(rt, stack_bytes);
    JS_SetGCThreshold(rt, GC_THRESHOLD_BYTES);
    JS_SetModuleLoaderFunc(rt, module_name, module_load, NULL);
    JS_SetHostPromiseRejectionTracker(rt, note_rejection, NULL);
    cx = JS_NewContextRaw(rt);
    if (!cx || JS_AddIntrinsicBaseObjects(cx) || JS_AddIntrinsicDate(cx) || JS_AddIntrinsicEval(cx)
        || JS_AddIntrinsicRegExp(cx) || JS_AddIntrinsicJSON(cx) || JS_AddIntrinsicProxy(cx)
        || JS_AddIntrinsicMapSet(cx) || JS_AddIntrinsicTypedArrays(cx) || JS_AddIntrinsicPromise(cx)
        || JS_AddIntrinsicWeakRef(cx) || JS_AddIntrinsicAToB(cx)) return ERR;
    JSValue global = JS_GetGlobalObject(cx);
    bool ok = add_console(global) && add_library(global);
    call_error_proto = prototype_of(global, "CallError");
    operation_error_proto = prototype_of(global, "OperationError");
    JSAtom eval = JS_NewAtom(cx, "eval");
    ok = ok && JS_IsObject(call_error_proto) && JS_IsObject(operation_error_proto)
        && JS_DeleteProperty(cx, global, eval, 0) > 0;
    JS_FreeAtom(cx, eval);
    JS_FreeValue(cx, global);
    JS_RunGC(rt);
    return ok ? OK : ERR;
}

// ---- messages ----

// A buffer of at least `len` bytes for the next message, for messages longer than the fixed one. 0 = no memory.
EXPORT(reserve) uint32_t alk_reserve(uint32_t len)
{
    if (len <= io.in_cap) return io.in_ptr;
    if (io.in_ptr != (uint32_t)(uintptr_t)in_fixed) free((void *)(uintptr_t)io.in_ptr);
    io.in_ptr = (uint32_t)(uintptr_t)in_fixed;
    io.in_cap = IN_BYTES;
    char *p = len < UINT32_MAX ? malloc((size_t)len + 1) : NULL;
    if (!p) return 0;
    io.in_ptr = (uint32_t)(uintptr_t)p;
    io.in_cap = len;
    return io.in_ptr;
}

static char *in(void) { return (char *)(uintptr_t)io.in_ptr; }

// Wipes the message and goes back to the fixed buffer, so that no source text stays in the snapshot's pages.
static void in_wipe(uint32_t len)
{
    memset(in(), 0, len);
    if (in() == in_fixed) return;
    free(in());
    io.in_ptr = (uint32_t)(uintptr_t)in_fixed;
    io.in_cap = IN_BYTES;
}


// In the buffer: `modules` records of {u32 path_len, u32 source_len, path, NUL, source, NUL}, then `names`
// NUL-terminated operation names. The first module is the entry.
EXPORT(load) int32_t alk_load(uint32_t modules, uint32_t len, uint32_t names, uint32_t stack_bytes)
{
    enter(stack_bytes);
    if (len > io.in_cap) return PROTOCOL;
    in()[len] = 0;
    int32_t status = load(modules, names, (Message) { in(), in() + len });
    in_wipe(len);
    return status;
}

// In the buffer: the input as JSON.
EXPORT(call) int32_t alk_call(uint32_t len, uint64_t seed, uint32_t stack_bytes)
{
    enter(stack_bytes);
    if (len > io.in_cap || !JS_IsUndefined(result) || !JS_IsUndefined(stream)) return PROTOCOL;
    cx->random_state = seed ? seed : 1;
    started_ms = host_now_ms();
    JS_FreeValue(cx, unhandled);
    unhandled = JS_UNDEFINED;
    in()[len] = 0;
    JSValue args[2] = { JS_ParseJSON(cx, in(), len, "input"), env };
    if (JS_IsException(args[0])) return out_error(take_exception(), "input");
    JSValue returned = JS_Call(cx, tool, JS_UNDEFINED, 2, vc(args));
    JS_FreeValue(cx, args[0]);
    if (!is_generator(returned)) return follow(returned);
    stream = returned;
    return STREAM;
}

EXPORT(next) int32_t alk_next(uint32_t stack_bytes)
{
    enter(stack_bytes);
    if (JS_IsUndefined(stream) || !JS_IsUndefined(result)) return PROTOCOL;
    return stream_next();
}

// In the buffer: records of {u32 id, u32 kind, u32 len, len bytes of JSON, NUL}, unpadded.
EXPORT(settle) int32_t alk_settle(uint32_t len)
{
    enter(0);
    if (len > io.in_cap || !settle_due((Message) { in(), in() + len })) return PROTOCOL;
    return settle_all((Message) { in(), in() + len });
}
