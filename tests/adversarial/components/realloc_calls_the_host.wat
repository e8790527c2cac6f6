;; tries: to call an operation while the host asks for memory.
;; expect: error INTERNAL uncaught Trap

(module
  (import "alknet:tool/ops@0.1.0" "invoke" (func $ops (param i32 i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (call $ops (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 4) (i32.const 64)) (i32.const 1024))
  (func (export "invoke") (param $name i32) (param $name_len i32) (param $in i32) (param $in_len i32) (result i32)
    unreachable))
