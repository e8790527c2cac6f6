;; tries: to be compiled although it is not valid.
;; expect: rejected type mismatch

(module (func (export "invoke") (param i32 i32 i32 i32) (result i32) (i64.const 1)))
