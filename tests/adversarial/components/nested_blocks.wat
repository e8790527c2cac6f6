;; tries: to exhaust the stack of whoever reads blocks in blocks.
;; expect: rejected 
;; expect: error INTERNAL uncaught Trap
;; expect: error INTERNAL
;; repeat: @OPEN@ 6000 block 
;; repeat: @CLOSE@ 6000 end 

(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
  (func (export "invoke") (param i32 i32 i32 i32) (result i32)
    @OPEN@ @CLOSE@ unreachable))
