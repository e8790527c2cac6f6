;; tries: to raise an error whose details are neither there nor absent.
;; expect: error INTERNAL uncaught Trap

(module
  (memory (export "memory") 1)
  (global $top (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $p i32)
    (local.set $p (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
    (global.set $top (i32.add (local.get $p) (local.get 3)))
    (block $fits
      (br_if $fits (i32.le_u (global.get $top) (i32.mul (memory.size) (i32.const 65536))))
      (br_if $fits (i32.ne (i32.const -1)
        (memory.grow (i32.add (i32.const 1) (i32.shr_u (local.get 3) (i32.const 16))))))
      unreachable)
    (local.get $p))
  (data (i32.const 1024) "M")
  (func (export "invoke") (param $name i32) (param $name_len i32) (param $in i32) (param $in_len i32) (result i32)
    (drop (memory.grow (i32.const 200)))
    (memory.fill (i32.const 65536) (i32.const 0x41) (i32.const 4000000))
    (i32.store (i32.const 16) (i32.const 1))
    (i32.store (i32.const 20) (i32.const 1024)) (i32.store (i32.const 24) (i32.const 1)) ;; code
    (i32.store (i32.const 28) (i32.const 1024)) (i32.store (i32.const 32) (i32.const 1)) ;; message
    (i32.store8 (i32.const 36) (i32.const 0))
    (i32.store (i32.const 40) (i32.const 9)) (i32.store (i32.const 44) (i32.const 0)) (i32.store (i32.const 48) (i32.const 0))
    (i32.const 16)))
