;; tries: to have errors quote names that are very long.
;; expect: rejected 
;; repeat: @NAME@ 100000 x

(module (func (call $@NAME@)))
