;; tries: to have the compiler compute for long over jumps.
;; expect: rejected compiling it would take too long
;; repeat: @LOOPS@ 10000 (loop(br 0))

(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
  (func (export "invoke") (param i32 i32 i32 i32) (result i32)
    @LOOPS@ unreachable))
