;; tries: to have the host write everything to one place, which is the tool's own loss.
;; expect: error INTERNAL uncaught Trap
;; expect: error INTERNAL not JSON
;; expect: output "hostile"
;; expect: output 12345678
;; input: 12345678

(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func $answer (param $p i32) (param $n i32) (result i32)
    (i32.store (i32.const 16) (i32.const 0))
    (i32.store (i32.const 20) (local.get $p))
    (i32.store (i32.const 24) (local.get $n))
    (i32.const 16))
  (func (export "invoke") (param $name i32) (param $name_len i32) (param $in i32) (param $in_len i32) (result i32)
    (call $answer (local.get $in) (local.get $in_len))))
