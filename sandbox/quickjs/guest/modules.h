// Loading: the files of a tool become modules, and the entry's default export the tool.
#ifndef ALK_MODULES_H
#define ALK_MODULES_H

#include "env.h"
#include "run.h"

typedef struct { const char *path, *source; uint32_t source_len; } Module;

// The modules of the message being loaded.
static Module *modules;
static uint32_t modules_len;

// The host has already replaced what an import says by the path of the file it means.
static char *module_name(JSContext *c, const char *base, const char *name, void *opaque)
{
    (void)base, (void)opaque;
    return js_strdup(c, name);
}

static JSModuleDef *module_load(JSContext *c, const char *name, void *opaque)
{
    (void)opaque;
    for (uint32_t i = 0; i < modules_len; i++) {
        if (strcmp(modules[i].path, name)) continue;
        JSValue compiled = JS_Eval(c, modules[i].source, modules[i].source_len, name,
                                   JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY);
        if (JS_IsException(compiled)) return NULL;
        JSModuleDef *module = JS_VALUE_GET_PTR(compiled);
        JS_FreeValue(c, compiled);
        return module;
    }
    JS_ThrowTypeError(c, "imports are not available: all a tool may use is in its files and in its second argument, env");
    return NULL;
}

// Reads `modules_len` records off the message.
static bool read_modules(Message *message)
{
    for (uint32_t i = 0; i < modules_len; i++) {
        uint32_t head[2];
        size_t left = message->end - message->at;
        if (left < sizeof head) return false;
        memcpy(head, message->at, sizeof head);
        left -= sizeof head;
        if (head[0] >= left || head[1] >= left - head[0] - 1) return false;
        char *path = message->at + sizeof head, *source = path + head[0] + 1;
        if (path[head[0]] || source[head[1]]) return false;
        modules[i] = (Module) { path, source, head[1] };
        message->at = source + head[1] + 1;
    }
    return true;
}

static int32_t load_entry(void)
{
    JSValue compiled = JS_Eval(cx, modules[0].source, modules[0].source_len, modules[0].path,
                               JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY);
    // From here on there is no compiler: every road to new code (Function constructors included) throws.
    cx->eval_internal = NULL;
    if (JS_IsException(compiled)) return out_error(take_exception(), "syntax");
    JSModuleDef *module = JS_VALUE_GET_PTR(compiled);
    result = JS_EvalFunction(cx, compiled);
    if (JS_IsException(result)) { result = JS_UNDEFINED; return out_error(take_exception(), "throw"); }
    int32_t status = pump();
    JS_FreeValue(cx, result);
    result = JS_UNDEFINED;
    if (status != OK) return status;
    out_clear();
    JSValue exports = JS_GetModuleNamespace(cx, module);
    if (JS_IsException(exports)) return out_error(take_exception(), "throw");
    tool = JS_GetPropertyStr(cx, exports, "default");
    JS_FreeValue(cx, exports);
    if (JS_IsException(tool)) { tool = JS_UNDEFINED; return out_error(take_exception(), "throw"); }
    if (!JS_IsFunction(cx, tool))
        return out_message("export", "the module has no default export that is a function: "
                                     "write `export default async function (input, env) { ... }`");
    JSClassID class = JS_VALUE_GET_OBJ(tool)->class_id;
    bool generates = class == JS_CLASS_GENERATOR_FUNCTION || class == JS_CLASS_ASYNC_GENERATOR_FUNCTION;
    out_static(generates ? "\"generator\"" : "\"function\"");
    return OK;
}

static int32_t load(uint32_t count, uint32_t names, Message message)
{
    // Every record takes more than that, so the count cannot ask for more than the message is long.
    if (!count || count > (size_t)(message.end - message.at) / 8 || !JS_IsUndefined(tool)) return PROTOCOL;
    modules = js_malloc(cx, count * sizeof *modules);
    if (!modules) return out_error(take_exception(), "throw");
    modules_len = count;
    int32_t status = PROTOCOL;
    if (read_modules(&message)) {
        env = env_build(message.at, names);
        if (JS_IsException(env)) {
            env = JS_UNDEFINED;
            status = out_error(take_exception(), "throw");
        } else {
            status = load_entry();
        }
    }
    js_free(cx, modules);
    modules = NULL;
    modules_len = 0;
    loading = false;
    return status;
}

#endif
