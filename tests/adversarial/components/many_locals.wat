;; tries: to have the compiler compute for long over variables.
;; expect: rejected compiling it would take too long
;; repeat: @LOCALS@ 8000 i32 
;; repeat: @LOOPS@ 2000 (loop(br_if 0(local.get 0)))

(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
  (func (export "invoke") (param i32 i32 i32 i32) (result i32) (local @LOCALS@)
    @LOOPS@ unreachable))
