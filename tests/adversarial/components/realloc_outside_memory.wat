;; tries: to have the host write its input outside of memory.
;; expect: error INTERNAL uncaught Trap

(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const -64))
  (func (export "invoke") (param $name i32) (param $name_len i32) (param $in i32) (param $in_len i32) (result i32)
    unreachable))
