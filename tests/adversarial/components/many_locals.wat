;; tries: to have the compiler compute for long over variables.
;; expect: rejected 
;; repeat: @LOCALS@ 8000 i32 
;; repeat: @LOOPS@ 2000 (loop(br_if 0(local.get 0)))

(module
  (func (export "invoke") (param i32 i32 i32 i32) (result i32) (local @LOCALS@)
    @LOOPS@ unreachable))
